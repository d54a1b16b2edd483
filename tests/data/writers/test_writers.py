import json
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import maskwright
from drawing_samples import draw
from maskwright.data import open_dataset
from maskwright.data.writers import WRITERS
from maskwright.errors import ConfigError, DataError, MaskwrightWarning

LABELS = np.array(
    [
        [0, 0, 0, 0, 0, 0],
        [1, 1, 1, 1, 2, 0],
        [1, 0, 0, 1, 2, 2],
        [1, 1, 1, 1, 0, 2],
        [2, 2, 0, 0, 0, 3],
    ],
    np.uint8,
)
"""A ring, touching shapes of three classes, and two parts that touch at a corner."""

VOLUMES = ("nifti", "dicom-seg", "nnunet", "npz", "hdf5", "cityscapes", "ade20k")
FORMATS = [name for name in WRITERS if name not in VOLUMES]


@pytest.fixture(autouse=True)
def cache(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def folder(tmp_path):
    """Masks of four classes in three splits, one of them empty."""
    masks = {"train/a": LABELS, "train/b": LABELS[:, ::-1], "val/c": LABELS[::-1] * 0}
    masks |= {"train/d": LABELS[::-1], "test/e": np.full((5, 6), 3, np.uint8)}
    for name, mask in masks.items():
        split, stem = name.split("/")
        draw(tmp_path / "set" / split / "images" / f"{stem}.png", np.full((5, 6, 3), 90, np.uint8))
        draw(tmp_path / "set" / split / "masks" / f"{stem}.png", mask)
    (tmp_path / "set" / "data.yaml").write_text("classes: [background, ring, block, dot]\n")
    return tmp_path / "set"


def contents(dataset):
    """Split and labels of every sample, by the letter that is its name."""
    return {
        re.search(r"(?<![a-z])[a-e](?![a-z])", sample.id)[0]: (
            sample.split,
            dataset.read(sample)[1].tolist(),
        )
        for sample in dataset.samples
    }


@pytest.mark.filterwarnings("ignore:NIfTI files state the size")
@pytest.mark.parametrize("name", sorted(WRITERS.keys() - {"cityscapes", "dicom-seg"}))
def test_labels_are_equal_after_a_round_trip(name, folder, tmp_path):
    before = open_dataset(folder, val_share=0, test_share=0)
    out = maskwright.convert(folder, tmp_path / "out", name)
    after = open_dataset(out, val_share=0, test_share=0)
    assert after.labels.names == before.labels.names
    assert contents(after) == contents(before)
    if name in VOLUMES:
        return
    again = maskwright.convert(out, tmp_path / "again", name)
    assert contents(open_dataset(again, val_share=0, test_share=0)) == contents(before)


@pytest.mark.filterwarnings("ignore:NIfTI files state the size")
@pytest.mark.parametrize("name", sorted(WRITERS.keys() - {"cityscapes", "dicom-seg"}))
def test_names_that_formats_lack_are_written_without_odd_characters(name, folder, tmp_path):
    before = contents(open_dataset(folder, val_share=0, test_share=0))
    odd = {"a": "a;1", "b": 'b "2"', "c": "c#3%20", "d": "-d+&", "e": "e\\'"}
    for path in [*folder.rglob("*.png")]:
        path.rename(path.with_stem(odd[path.stem]))
    with pytest.warns(MaskwrightWarning, match="Names with characters .* changed: .*a;1 as a_1"):
        out = maskwright.convert(folder, tmp_path / "out", name)
    assert contents(open_dataset(out, val_share=0, test_share=0)) == before


def square(left, top, side):
    right, bottom = left + side, top + side
    return [left, top, right, top, right, bottom, left, bottom]


@pytest.fixture
def objects(tmp_path):
    """COCO annotations of two objects that overlap, of which one has two parts."""
    rings = [[1.5, 1, 7.3, 1, 6, 5.5, 1.1, 4.9], *([square(8, 7, 2), square(0, 7, 2)])]
    entries = [([rings[0]], 1), (rings[1:], 2), ([square(4, 3, 3)], 2)]
    draw(tmp_path / "objects" / "a.png", np.full((10, 12, 3), 90, np.uint8))
    content = {
        "images": [{"id": 1, "file_name": "a.png", "height": 10, "width": 12}],
        "categories": [{"id": 1, "name": "owl"}, {"id": 2, "name": "cat"}],
        "annotations": [
            {"id": n, "image_id": 1, "category_id": category, "segmentation": shape, "iscrowd": 0}
            for n, (shape, category) in enumerate(entries, start=1)
        ],
    }
    (tmp_path / "objects" / "instances.json").write_text(json.dumps(content))
    return tmp_path / "objects"


def drawn(source):
    """Labels of the image, and class and mask of every object."""
    dataset = open_dataset(source, val_share=0, test_share=0)
    (sample,) = dataset.samples
    instances = dataset.read_objects(sample)
    names = [dataset.labels.names[label] for label in instances.labels]
    masks = [instances.mask(n).tolist() for n in range(len(instances))]
    listed = json.loads(sample.instances.read_text())["objects"]
    polygons = [each.get("polygons") for each in listed]
    return dataset.read_mask(sample).tolist(), list(zip(names, masks, strict=True)), polygons


OBJECTS = ("coco", "coco-rle", "yolo", "labelme", "cvat", "label-studio", "label-studio-brush")


@pytest.mark.parametrize("name", [*OBJECTS, "supervisely", "kaggle", "geojson", "masks"])
def test_objects_that_overlap_are_equal_after_a_round_trip(name, objects, tmp_path):
    labels, before, polygons = drawn(objects)
    assert len(before) == 3
    out = maskwright.convert(objects, tmp_path / "out", name)
    labels_after, after, polygons_after = drawn(out)
    assert labels_after == labels
    assert after == before
    if name in ("coco", "labelme", "cvat", "geojson", "masks"):
        assert polygons_after == polygons
    if name in ("yolo", "label-studio"):  # whose objects have one ring
        assert polygons_after[::2] == polygons[::2]


@pytest.mark.parametrize("name", ["coco-panoptic"])
def test_objects_that_overlap_are_refused_by_formats_of_one_number_a_pixel(name, objects, tmp_path):
    with pytest.raises(DataError, match="cannot hold objects that overlap"):
        maskwright.convert(objects, tmp_path / "out", name)
    assert not (tmp_path / "out").exists()


@pytest.mark.filterwarnings("ignore:The format labelme holds no crowds")
@pytest.mark.parametrize("name", ["masks", "coco", "coco-rle", "labelme"])
def test_pixels_of_crowds_stay_ignored(name, objects, tmp_path):
    content = json.loads((objects / "instances.json").read_text())
    crowd = {"size": [10, 12], "counts": [60, 60]}  # half of the image, with objects in it
    facts = {"id": 9, "image_id": 1, "category_id": 1, "iscrowd": 1}
    content["annotations"].append({**facts, "segmentation": crowd})
    (objects / "instances.json").write_text(json.dumps(content))
    before = drawn(objects)[0]
    assert sum(row.count(255) for row in before) > 20
    out = open_dataset(maskwright.convert(objects, tmp_path / "out", name))
    assert out.read_mask(out.samples[0]).tolist() == before


@pytest.mark.parametrize("name", FORMATS)
def test_ignored_pixels_are_kept_or_refused(name, folder, tmp_path):
    mask = LABELS.copy()
    mask[3:, 2:5] = 255
    draw(folder / "train" / "masks" / "a.png", mask)
    with (folder / "data.yaml").open("a") as file:
        file.write("ignore: [255]\n")
    before = open_dataset(folder, val_share=0, test_share=0)
    if name not in ("masks", "voc", "coco", "coco-rle", "coco-panoptic", "labelme"):
        with pytest.raises(DataError, match=r"a\.png has pixels that are ignored"):
            maskwright.convert(folder, tmp_path / "out", name)
        out = maskwright.convert(folder, tmp_path / "out", name, ignored_as_background=True)
        after = contents(open_dataset(out, val_share=0, test_share=0))
        assert after["a"] == ("train", np.where(mask == 255, 0, mask).tolist())
        return
    out = maskwright.convert(folder, tmp_path / "out", name)
    after = open_dataset(out, val_share=0, test_share=0)
    assert after.labels.names == before.labels.names
    assert contents(after) == contents(before)


@pytest.mark.parametrize("name", ["masks", "voc", "coco", "labelme", "ade20k"])
def test_square_images_that_exif_turns_stay_with_their_masks(name, tmp_path):
    exif = Image.Exif()
    exif[274] = 6
    draw(tmp_path / "set" / "images" / "a.jpg", np.full((6, 6, 3), 90, np.uint8), exif=exif)
    mask = np.zeros((6, 6), np.uint8)
    mask[:2] = 1
    draw(tmp_path / "set" / "masks" / "a.png", mask)
    (tmp_path / "set" / "data.yaml").write_text("mask_orientation: stored")
    before = open_dataset(tmp_path / "set")
    assert before.read_mask(before.samples[0])[:, 4:].all()
    after = open_dataset(maskwright.convert(tmp_path / "set", tmp_path / "out", name))
    assert contents(after) == contents(before)


def test_what_a_format_does_not_hold_is_told(objects, tmp_path):
    with pytest.warns(MaskwrightWarning, match="objects are not told apart any more"):
        maskwright.convert(objects, tmp_path / "out", "voc")


def test_nothing_is_written_over_and_formats_are_named(folder, tmp_path):
    with pytest.raises(ConfigError, match="There is no format 'jpeg' to write; expected masks"):
        maskwright.convert(folder, tmp_path / "out", "jpeg")
    with pytest.raises(ConfigError, match="exists already; name a new folder"):
        maskwright.convert(folder, folder, "masks")


def test_the_documentation_lists_every_format_of_annotations():
    docs = Path(__file__).parents[3] / "docs" / "annotations.md"
    rows = [line for line in docs.read_text(encoding="utf-8").splitlines() if line[:1] == "|"]
    columns = " ".join(row.split("|")[-2] for row in rows if row.count("|") == 6)
    assert [name for name in FORMATS if f"`{name}`" not in columns] == ["masks"]
