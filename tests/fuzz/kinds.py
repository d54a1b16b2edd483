"""Every kind of file that Maskwright opens: a small valid one, and how a user would open it."""

import csv
import json
import shutil
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import h5py
import numpy as np
import tensorflow as tf
import tifffile
from PIL import Image

import maskwright
from drawing_volumes import write_segmentation, write_series
from maskwright.config import RegionConfig, TrainConfig, read_config
from maskwright.data.readers.tables import read_region_labels
from maskwright.errors import MaskwrightError
from maskwright.export.listing import LIST_FILE, network_digest
from maskwright.imageio import read_header, read_image, read_mask
from maskwright.imageio.windows import open_windows
from maskwright.model_card import CARD_FILE, SemanticCard, checksum, read_task
from maskwright.training.checkpoint import Checkpoint, State

SIDE = 24


@dataclass(frozen=True)
class Kind:
    """Files to mutate, and what is done with them.

    `write` fills a folder, `open` opens it, `victims` are the patterns of the files of which one is
    mutated, `mend` makes the folder consistent again as an attacker would. `weight` is the share of
    inputs, `model` whether a trained run is copied into the folder first.
    """

    write: Callable[[Path], None]
    open: Callable[[Path], object]
    victims: tuple[str, ...]
    weight: float = 1.0
    mend: Callable[[Path], None] | None = None
    run: bool = False


def scene(number: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Image uint8 `(24, 24, 3)` and labels `(24, 24)` of two classes."""
    rng = np.random.default_rng(number)
    labels = np.zeros((SIDE, SIDE), np.uint8)
    top, left = rng.integers(2, 10, 2)
    labels[top : top + 10, left : left + 8] = 1
    image = (60 + 120 * labels)[..., None] + rng.integers(0, 20, (SIDE, SIDE, 3))
    return image.astype(np.uint8), labels


# Images and masks.


def _pillow(name: str, mask: bool = False, **options: object) -> Callable[[Path], None]:
    def write(folder: Path) -> None:
        image, labels = scene()
        Image.fromarray(labels * 255 if mask else image).save(folder / name, **options)

    return write


def _palette(folder: Path) -> None:
    picture = Image.fromarray(scene()[1])
    picture.putpalette([0, 0, 0, 255, 0, 0])
    picture.save(folder / "a.png")


def _tiff(**options: object) -> Callable[[Path], None]:
    def write(folder: Path) -> None:
        pixels = np.repeat(np.repeat(scene()[0], 4, 0), 4, 1).astype(np.uint16) * 200
        tifffile.imwrite(folder / "a.tif", pixels, photometric="rgb", **options)

    return write


def _geotiff(folder: Path) -> None:
    pixels = scene()[0].astype(np.float32)
    pixels[:3] = -9999
    tags = [(33550, "d", 3, (0.5, 0.5, 0.0), True), (42113, "s", 0, "-9999", True)]
    tags += [(33922, "d", 6, (0, 0, 0, 100.0, 200.0, 0), True), (281, "H", 1, 4095, True)]
    tags += [(34735, "H", 8, (1, 1, 0, 1, 1025, 0, 1, 2), True)]
    tifffile.imwrite(folder / "a.tif", pixels, photometric="rgb", extratags=tags)


def _inks(folder: Path) -> None:
    Image.fromarray(scene()[0]).convert("CMYK").save(folder / "a.tif")


def _array(name: str) -> Callable[[Path], None]:
    def write(folder: Path) -> None:
        save = np.savez_compressed if name.endswith("npz") else np.save
        save(folder / name, scene()[0])

    return write


def _open_image(folder: Path) -> None:
    path = next(folder.glob("a.*"))
    with suppress(MaskwrightError):  # a mask has other rules than an image
        read_mask(path)
    read_header(path)
    read_image(path)


def _open_windows(folder: Path) -> None:
    with open_windows(folder / "a.tif") as windows:
        windows.read(0, min(windows.height, 512), 0, min(windows.width, 512))


# Data sets.


def _folders(folder: Path) -> None:
    for number in range(6):
        image, labels = scene(number)
        for place, pixels in (("images", image), ("masks", labels)):
            (folder / place).mkdir(exist_ok=True)
            Image.fromarray(pixels).save(folder / place / f"{number}.png")


def _data_yaml(folder: Path) -> None:
    _folders(folder)
    (folder / "data.yaml").write_text(
        "images: images\nmasks: masks\nclasses: [background, disc]\n"
        "colors: ['#000000', '#FF0000']\n"
        "encoding: indices\nvalues: {0: background, 1: disc, 255: ignore}\nval_share: 0.2\n"
        "test_share: 0.2\nseed: 3\ngroup_by: '^([0-9])'\nunite_duplicates: true\n"
    )


def _manifest(folder: Path) -> None:
    _folders(folder)
    with (folder / "data.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["image", "mask", "split", "case", "label", "weight"])
        for number in range(6):
            split = ("train", "val", "test")[number % 3]
            names = [f"{place}/{number}.png" for place in ("images", "masks")]
            table.writerow([*names, split, f"case {number}", "benign", 1.5])


def _split_lists(folder: Path) -> None:
    _folders(folder)
    for name, numbers in (("train.txt", "0\n1\n2\n3\n"), ("val.txt", "4\n"), ("test.txt", "5\n")):
        (folder / name).write_text(numbers)


def _regions_csv(folder: Path) -> None:
    _folders(folder)
    rows = "".join(f"{n}.png,1,{('benign', 'malignant')[n % 2]}\n" for n in range(6))
    (folder / "regions.csv").write_text("image,region,label\n" + rows)


def _coco(folder: Path) -> None:
    _folders(folder)
    shutil.rmtree(folder / "masks")
    images, annotations = [], []
    for number in range(6):
        image = {"id": number, "file_name": f"images/{number}.png", "height": SIDE, "width": SIDE}
        images.append(image)
        box = [3, 4, 10, 8]
        shape: object = [[3, 4, 13, 4, 13, 12, 3, 12]]
        if number % 3 == 1:
            shape = {"size": [SIDE, SIDE], "counts": [100, 10, 14, 10, SIDE * SIDE - 134]}
        facts = {"image_id": number, "category_id": 1, "iscrowd": 0, "area": 80, "bbox": box}
        annotations.append({"id": number + 1, **facts, "segmentation": shape})
    content = {
        "images": images,
        "annotations": annotations,
        "categories": [{"id": 1, "name": "disc", "supercategory": ""}],
    }
    (folder / "annotations.json").write_text(json.dumps(content))


# Volumes and stacks.


def _volumes(write: Callable[[Path, np.ndarray], object]) -> Callable[[Path], None]:
    """Two volumes of three slices with masks, by a function that writes integers."""

    def volumes(folder: Path) -> None:
        for number in range(2):
            drawn = [scene(3 * number + k) for k in range(3)]
            for place, index in (("images", 0), ("labels", 1)):
                (folder / place).mkdir(exist_ok=True)
                slices = np.stack([pair[index].reshape(SIDE, SIDE, -1)[..., 0] for pair in drawn])
                write(folder / place / f"{number}.nii", slices)

    return volumes


def _nifti(path: Path, slices: np.ndarray) -> None:
    import nibabel

    nibabel.save(nibabel.Nifti1Image(slices.transpose(2, 1, 0), np.diag([1, 1, 3, 1])), path)


def _dicom(folder: Path) -> None:
    slices = np.stack([scene(k)[0][..., 0] for k in range(3)]).astype(np.int16)
    masks = np.stack([scene(k)[1] for k in range(3)])
    paths = write_series(folder / "ct", slices, RescaleSlope=1, RescaleIntercept=-100)
    write_segmentation(folder / "seg.dcm", paths, {"disc": masks})


def _dicom_image(folder: Path) -> None:
    (path,) = write_series(folder, scene()[0][None, ..., 0].astype(np.int16))
    path.rename(folder / "a.dcm")


def _stacks(folder: Path) -> None:
    pairs = [scene(number) for number in range(6)]
    images, masks = (np.stack([pair[index] for pair in pairs]) for index in range(2))
    np.save(folder / "images.npy", images)
    np.save(folder / "masks.npy", masks)


def _npz(folder: Path) -> None:
    _stacks(folder)
    arrays = {name: np.load(folder / f"{name}.npy") for name in ("images", "masks")}
    for name in arrays:
        (folder / f"{name}.npy").unlink()
    np.savez(folder / "data.npz", **arrays)


def _hdf5(folder: Path) -> None:
    _npz(folder)
    with h5py.File(folder / "data.h5", "w") as file, np.load(folder / "data.npz") as arrays:
        for name in arrays:
            file.create_dataset(f"train/{name}", data=arrays[name], compression="gzip")
    (folder / "data.npz").unlink()


def _annotated(format: str) -> Callable[[Path], None]:
    """Annotations as `maskwright convert` writes them, so that a new format is one line below."""

    def write(folder: Path) -> None:
        data = folder.with_name(f"{folder.name}-data")
        data.mkdir()
        _data_yaml(data)
        maskwright.convert(data, folder, format, ignored_as_background=True)

    return write


def _open_data(folder: Path, name: str = ".") -> None:
    maskwright.check(folder / name)
    dataset = maskwright.open_dataset(folder / name)
    for sample in dataset.samples:
        dataset.read(sample)
        if dataset.instances:
            dataset.read_objects(sample)

    if (table := folder / "regions.csv").exists():
        read_region_labels(table, dataset.samples)


# Settings, cards and what training keeps.


def _plan(folder: Path) -> None:
    (folder / "plan.yaml").write_text(
        "size: 192x192\nencoder: plain\nencoder_weights: none\n"
        "augmentation: {strength: medium, flip_vertical: 0.5, rotate_degrees: 180}\n"
        "class_weights: balanced\nloss: 0.5*focal+tversky\nminutes: 10\nfold: [2, 5]\n"
        "min_area_px: 103\n"
    )


def _open_plan(folder: Path) -> None:
    read_config(folder / "plan.yaml", {}, TrainConfig)


def _open_region_plan(folder: Path) -> None:
    read_config(folder / "plan.yaml", {}, RegionConfig)


def _region_plan(folder: Path) -> None:
    (folder / "plan.yaml").write_text(
        "positive: bright\nunit: case\nencoder: plain\nencoder_widths: [4, 8]\nsize: 32\n"
        "context: 0.2\nvariants: 2\nseed: 4\n"
    )


def _open_card(folder: Path) -> None:
    read_task(folder / CARD_FILE)
    SemanticCard.read(folder / CARD_FILE)


def _variables() -> dict[str, tf.Variable]:
    return {"a": tf.Variable(np.arange(12.0).reshape(3, 4)), "b": tf.Variable(np.float32(3))}


def _checkpoint(folder: Path) -> None:
    checkpoint = Checkpoint(folder, _variables(), 0, writes=True)
    checkpoint.write(State(epoch=3, best_epoch=2, history=[{"loss": 0.5}]))
    checkpoint.write_best([np.arange(6.0), np.float32(2)])


def _open_checkpoint(folder: Path) -> None:
    Checkpoint(folder, _variables(), 0, writes=True).read()


# Models.


def _open_model(folder: Path) -> None:
    maskwright.load(folder, allow_code=True)(scene()[0])


def sign(folder: Path) -> None:
    """Write the checksums of an artifact or a run anew, so that what they guard is read."""
    listing = folder / LIST_FILE
    card = folder / CARD_FILE
    try:
        if listing.exists():
            content = json.loads(listing.read_text())
            content["files"] = {name: checksum(folder / name) for name in content["files"]}
            digest = network_digest(content["files"])
        else:
            digest = checksum(folder / "model.keras")
        text = json.loads(card.read_text())
        text["model_sha256"] = digest
        card.write_text(json.dumps(text))
        if listing.exists():
            content["files"][CARD_FILE] = checksum(card)
            listing.write_text(json.dumps(content))
    except (ValueError, KeyError, TypeError, AttributeError, OSError):
        return


_MODEL = partial(Kind, open=_open_model, mend=sign, run=True)


def _nothing(folder: Path) -> None:
    """The run that the folder is a copy of is all there is."""


def _exported(format: str) -> Callable[[Path], None]:
    def write(folder: Path) -> None:
        run = folder.with_name(folder.name + "-run")
        folder.rename(run)
        maskwright.export_model(run, folder, format=format)

    return write


def _ensemble(folder: Path) -> None:
    run = folder.with_name(folder.name + "-run")
    folder.rename(run)
    other = shutil.copytree(run, run.with_name(run.name + "-other"))
    maskwright.ensemble([run, other], folder)


KINDS: dict[str, Kind] = {
    "png": Kind(_pillow("a.png"), _open_image, ("a.png",), 2),
    "png mask": Kind(_pillow("a.png", mask=True), _open_image, ("a.png",)),
    "png palette": Kind(_palette, _open_image, ("a.png",)),
    "jpeg": Kind(_pillow("a.jpg"), _open_image, ("a.jpg",), 2),
    "gif": Kind(_pillow("a.gif", mask=True), _open_image, ("a.gif",), 2),
    "webp": Kind(_pillow("a.webp"), _open_image, ("a.webp",)),
    "bmp": Kind(_pillow("a.bmp"), _open_image, ("a.bmp",)),
    "tiff": Kind(_tiff(), _open_image, ("a.tif",), 2),
    "tiff tiles": Kind(_tiff(tile=(16, 16), compression="zlib"), _open_image, ("a.tif",), 2),
    "tiff pillow": Kind(_pillow("a.tif", mask=True), _open_image, ("a.tif",)),
    "geotiff": Kind(_geotiff, _open_image, ("a.tif",), 2),
    "tiff cmyk": Kind(_inks, _open_image, ("a.tif",)),
    "npy image": Kind(_array("a.npy"), _open_image, ("a.npy",)),
    "npz image": Kind(_array("a.npz"), _open_image, ("a.npz",)),
    "tiff windows": Kind(_tiff(tile=(16, 16)), _open_windows, ("a.tif",)),
    "jpeg 2000": Kind(_pillow("a.jp2"), _open_image, ("a.jp2",)),
    "ppm": Kind(_pillow("a.ppm"), _open_image, ("a.ppm",)),
    "folders": Kind(_folders, _open_data, ("images/*", "masks/*")),
    "data.yaml": Kind(_data_yaml, _open_data, ("data.yaml",), 2),
    "csv": Kind(_manifest, partial(_open_data, name="data.csv"), ("data.csv",)),
    "split lists": Kind(_split_lists, _open_data, ("*.txt",)),
    "regions.csv": Kind(_regions_csv, _open_data, ("regions.csv",)),
    "coco": Kind(_coco, _open_data, ("annotations.json",), 2),
    "nifti": Kind(_volumes(_nifti), _open_data, ("*/*.nii",)),
    "dicom": Kind(_dicom, _open_data, ("**/*",)),
    "dicom image": Kind(_dicom_image, _open_image, ("a.dcm",)),
    "npy": Kind(_stacks, _open_data, ("*.npy",)),
    "npz": Kind(_npz, _open_data, ("*.npz",)),
    "hdf5": Kind(_hdf5, _open_data, ("*.h5",)),
    "panoptic": Kind(
        _annotated("coco-panoptic"), _open_data, ("annotations/*.json", "annotations/*/*.png")
    ),
    "yolo": Kind(_annotated("yolo"), _open_data, ("data.yaml", "labels/*/*.txt")),
    "labelme": Kind(_annotated("labelme"), _open_data, ("train/*.json",)),
    "labelme folders": Kind(_annotated("labelme-folders"), _open_data, ("train/*/label*",)),
    "cvat": Kind(_annotated("cvat"), _open_data, ("annotations.xml",)),
    "label studio": Kind(_annotated("label-studio"), _open_data, ("annotations.json",)),
    "brush": Kind(_annotated("label-studio-brush"), _open_data, ("annotations.json",)),
    "supervisely": Kind(_annotated("supervisely"), _open_data, ("meta.json", "train/ann/*.json")),
    "run lengths": Kind(_annotated("kaggle"), _open_data, ("*.csv", "data.yaml")),
    "geojson": Kind(_annotated("geojson"), _open_data, ("train/*.geojson",)),
    "plan": Kind(_plan, _open_plan, ("plan.yaml",), 2),
    "plan of regions": Kind(_region_plan, _open_region_plan, ("plan.yaml",)),
    "checkpoint": Kind(_checkpoint, _open_checkpoint, ("*.npz",)),
    "card": Kind(_nothing, _open_card, (CARD_FILE,), run=True),
    "run": _MODEL(_nothing, victims=(CARD_FILE, "model.keras"), weight=0.1),
    "ensemble": _MODEL(_ensemble, victims=("ensemble.json",), weight=0.1),
    "keras": _MODEL(_exported("keras"), victims=("*",), weight=0.1),
    "savedmodel": _MODEL(_exported("savedmodel"), victims=("**/*",), weight=0.05),
    "onnx": _MODEL(_exported("onnx"), victims=("*",), weight=0.5),
    "openvino": _MODEL(_exported("openvino"), victims=("*",), weight=0.5),
    "litert": _MODEL(_exported("litert"), victims=("*",), weight=0.5),
}
