from pathlib import Path

import numpy as np
import pytest

from drawing_classes import COUNT, VIEW, check_labels, draw_image, draw_mask, labels_of
from drawing_samples import draw
from maskwright.data import open_dataset
from maskwright.data.audit import audit
from maskwright.data.opening import open_with_doubts, write_yaml
from maskwright.errors import DataError

TWO = ("background", "foreground")
PLAIN = tuple(f"class_{label}" for label in range(4))


def binary(number):
    return (labels_of(number) > 0).astype(int)


def seen(number):
    return np.where(VIEW > 0, binary(number), 255)


def split_of(number):
    return "train" if number < 6 else "val" if number < 9 else "test"


PUBLISHED = {  # image, mask, words for the splits, images of each split; val and test from train
    "ISIC 2016": (
        "ISBI2016_ISIC_Part1_{s}_Data/ISIC_{n:07d}.png",
        "ISBI2016_ISIC_Part1_{s}_GroundTruth/ISIC_{n:07d}_Segmentation.png",
        ("Training", "Training", "Test"),
    ),
    "ISIC 2017": (
        "ISIC-2017_{s}_Data/ISIC_{n:07d}.png",
        "ISIC-2017_{s}_Part1_GroundTruth/ISIC_{n:07d}_segmentation.png",
        ("Training", "Validation", "Test_v2"),
    ),
    "DUTS": (
        "DUTS-{s}/DUTS-{s}-Image/{n:04d}.png",
        "DUTS-{s}/DUTS-{s}-Mask/{n:04d}.png",
        ("TR", "TR", "TE"),
    ),
    "Massachusetts": (
        "tiff/{s}/{n}.tiff",
        "tiff/{s}_labels/{n}.tif",
        ("train", "val", "test"),
    ),
    "GlaS": (
        "Warwick QU Dataset (Released 2016_07_08)/{s}_{n}.bmp",
        "Warwick QU Dataset (Released 2016_07_08)/{s}_{n}_anno.bmp",
        ("train", "train", "testA"),
    ),
    "short": ("{s}/images/{n}.png", "{s}/masks/{n}.png", ("tr", "va", "te")),
    "other words": ("{s}/images/{n}.png", "{s}/masks/{n}.png", ("train", "eval", "holdout")),
    "years": ("images/{s}/{n}.png", "labels/{s}/{n}.png", ("train2017", "val2017", "test2017")),
    "numbered": ("{s}/images/{n}.png", "{s}/masks/{n}.png", ("train1", "val1", "test1")),
    "IDRiD": (
        "1. Original Images/{s}/IDRiD_{n:02d}.png",
        "2. All Segmentation Groundtruths/{s}/5. Optic Disc/IDRiD_{n:02d}_OD.tif",
        ("a. Training Set", "a. Training Set", "b. Testing Set"),
    ),
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_splits_are_those_of_folders_and_files_and_make_no_cases(tmp_path, name):
    image, mask, words = PUBLISHED[name]
    for n in range(COUNT):
        word = words[("train", "val", "test").index(split_of(n))]
        draw_image(tmp_path / image.format(s=word, n=n), n)
        draw_mask(tmp_path / mask.format(s=word, n=n), n)
    dataset = open_dataset(tmp_path)
    check_labels(dataset, TWO, binary)
    assert len(dataset.of("test")) == 3
    if words[0] != words[1]:
        assert dataset.splits == {"train": 6, "val": 3, "test": 3}
    assert len({sample.case for sample in dataset.samples}) == COUNT


def test_folds_are_no_cases(tmp_path):
    for n in range(COUNT):
        draw_image(tmp_path / f"fold_{n % 3}" / "images" / f"{n}.png", n)
        draw_mask(tmp_path / f"fold_{n % 3}" / "masks" / f"{n}.png", n)
    assert len({sample.case for sample in open_dataset(tmp_path).samples}) == COUNT


def test_images_beside_those_of_splits_are_not_trained_on(tmp_path):
    for n in range(COUNT):
        folder = tmp_path / ("train" if n < 9 else "secret")
        draw_image(folder / "images" / f"{n}.png", n)
        draw_mask(folder / "masks" / f"{n}.png", n)
    with pytest.raises(DataError, match=r"3 images in secret/images are in no split"):
        open_dataset(tmp_path)
    (tmp_path / "data.yaml").write_text("splits: {train: ['train/*'], test: ['secret/*']}\n")
    assert len(open_dataset(tmp_path).of("test")) == 3


def test_tables_divide_a_data_set(tmp_path):
    for n in range(COUNT):
        draw_image(tmp_path / "images" / f"{n}.png", n)
        draw_mask(tmp_path / "masks" / f"{n}.png", n)
    for split in ("train", "val"):
        numbers = [n for n in range(COUNT) if split == ("train" if n < 8 else "val")]
        rows = ["name,age", *(f"{n}.png,7" for n in numbers)]
        (tmp_path / f"{split}.csv").write_text("\n".join(rows))
        if split == "train":  # alone, it divides nothing
            assert len(open_dataset(tmp_path).samples) == COUNT
    dataset = open_dataset(tmp_path, test_share=0)
    assert dataset.splits == {"train": 8, "val": 4}
    assert dataset.skipped == ()
    for split, numbers in (("train", range(8)), ("val", range(8, COUNT))):
        rows = ["image,mask", *(f"images/{n}.png,masks/{n}.png" for n in numbers)]
        (tmp_path / f"{split}.csv").write_text("\n".join(rows))
    dataset = open_dataset(tmp_path, test_share=0)
    assert dataset.splits == {"train": 8, "val": 4}
    assert dataset.layout == "manifests train.csv, val.csv"
    check_labels(dataset, TWO, binary)


RETINA = {  # image, first annotator, field of view or second annotator
    "HRF": ("images/{n:02d}_dr.png", "manual1/{n:02d}_dr.tif", "mask/{n:02d}_dr_mask.tif"),
    "DRIVE": (
        "training/images/{n}_training.tif",
        "training/1st_manual/{n}_manual1.gif",
        "training/mask/{n}_training_mask.gif",
    ),
    "FOV": ("images/{n}.png", "masks/{n}.png", "fov/{n}.png"),
    "CHASE-DB1": ("Image_{n:02d}L.png", "Image_{n:02d}L_1stHO.png", "Image_{n:02d}L_2ndHO.png"),
}


@pytest.mark.parametrize("name", RETINA)
def test_a_field_of_view_is_ignored_outside_and_a_second_annotator_unused(tmp_path, name):
    image, first, other = RETINA[name]
    for n in range(COUNT):
        draw_image(tmp_path / image.format(n=n), n)
        draw_mask(tmp_path / first.format(n=n), n)
        draw(tmp_path / other.format(n=n), VIEW)
    dataset = open_dataset(tmp_path)
    check_labels(dataset, TWO, binary if name == "CHASE-DB1" else seen)
    write_yaml(dataset, tmp_path / "data.yaml")
    assert open_dataset(tmp_path).samples == dataset.samples


@pytest.mark.parametrize("stray", [False, True])
def test_nested_folders_of_ph2(tmp_path, stray):
    for n in range(COUNT):
        case = tmp_path / "PH2 Dataset images" / f"IMD{n:03d}"
        draw_image(case / f"IMD{n:03d}_Dermoscopic_Image" / f"IMD{n:03d}.bmp", n)
        draw_mask(case / f"IMD{n:03d}_lesion" / f"IMD{n:03d}_lesion.bmp", n)
        if stray:
            draw_mask(case / f"IMD{n:03d}_lesion" / f"IMD{n:03d}_lesion.jpg", n)
        if n % 4 == 0:
            draw_mask(case / f"IMD{n:03d}_roi" / f"IMD{n:03d}_R1_Label3.bmp", n, 1)
    dataset = open_dataset(tmp_path)
    check_labels(dataset, TWO, binary)
    assert dataset.skipped == ()


def test_montgomery_has_a_folder_for_each_lung(tmp_path):
    for n in range(COUNT):
        draw_image(tmp_path / "CXR_png" / f"MCUCXR_{n:04d}_0.png", n)
        for label, side in ((1, "left"), (2, "right")):
            draw_mask(tmp_path / "ManualMask" / f"{side}Mask" / f"MCUCXR_{n:04d}_0.png", n, label)
    names = ("background", "left", "right")
    check_labels(open_dataset(tmp_path), names, lambda n: labels_of(n) * (labels_of(n) < 3))


def test_pictures_of_masks_and_numbers_of_objects_lie_beside_them(tmp_path):
    for n in range(COUNT):
        split = "train" if n < 8 else "val"
        draw_image(tmp_path / "rgb" / split / "street" / f"{n}_rgb.png", n)
        truth = tmp_path / "labels" / split / "street"
        draw(truth / f"{n}_labelIds.png", labels_of(n))
        draw(truth / f"{n}_color.png", np.stack([labels_of(n) * 80] * 3, axis=2))
        draw(truth / f"{n}_instanceIds.png", labels_of(n).astype(np.uint16) * 1000)
    dataset = open_dataset(tmp_path)
    check_labels(dataset, PLAIN)
    assert len(dataset.of("val")) == 4


def test_markers_of_tracks_are_no_masks(tmp_path):
    for n in range(COUNT):  # as the Cell Tracking Challenge has them
        draw_image(tmp_path / "01" / f"t{n:03}.tif", n)
        draw(tmp_path / "01_GT" / "TRA" / f"man_track{n:03}.tif", labels_of(n).astype(np.uint16))
        if n % 2:
            draw(tmp_path / "01_GT" / "SEG" / f"man_seg{n:03}.tif", labels_of(n).astype(np.uint16))
    with pytest.raises(DataError, match="6 images of 12 are in no pair"):
        open_dataset(tmp_path)
    (tmp_path / "data.yaml").write_text("unannotated: skip\nobjects: instances\n")
    dataset = open_dataset(tmp_path)
    assert {s.masks[0].parent.name for s in dataset.samples} == {"SEG"}
    assert [int(dataset.read_instances(s).max()) for s in dataset.samples] == [3] * 6


def test_labels_in_a_folder_of_a_version_beside_other_masks(tmp_path):
    for n in range(COUNT):  # as Mapillary Vistas has them
        split = "training" if n < 9 else "validation"
        draw_image(tmp_path / split / "images" / f"{n}.png", n)
        for kind, factor in (("labels", 1), ("instances", 256), ("panoptic", 50)):
            stored = (labels_of(n).astype(np.uint16) * factor).astype("u2" if factor > 99 else "u1")
            draw(tmp_path / split / "v1.2" / kind / f"{n}.png", stored)
    for stated in ("", "images: '*/images'\nmasks: '*/v1.2/labels'\n"):
        (tmp_path / "data.yaml").write_text(stated)
        dataset = open_dataset(tmp_path)
        check_labels(dataset, PLAIN)
        assert len(dataset.of("val")) == 3


@pytest.mark.parametrize("names", [("frame_{}.png", "mask_{}.png"), ("{}.png", "{}.png")])
def test_numbers_that_are_off_by_one_are_a_doubt(tmp_path, names):
    for n in range(COUNT):
        draw_image(tmp_path / "images" / names[0].format(n), n)
        draw(tmp_path / "masks" / names[1].format(n + 1), labels_of(n))
    with pytest.raises(DataError, match=r"from different numbers on.*`pair_by: order`"):
        open_dataset(tmp_path)
    (tmp_path / "data.yaml").write_text("pair_by: order\n")
    check_labels(open_dataset(tmp_path), PLAIN)
    (tmp_path / "data.yaml").write_text("pair_by: name\n")
    assert len(open_dataset(tmp_path).samples) == COUNT - 1


def test_more_than_a_tenth_left_over_is_a_doubt(tmp_path):
    for n in range(COUNT):
        draw_image(tmp_path / "images" / f"{n}.png", n)
        if n < 10:
            draw(tmp_path / "masks" / f"{n}.png", labels_of(n))
    report = audit(open_with_doubts(tmp_path))
    assert next((f.code, f.severity) for f in report.findings) == ("left_over", "error")
    with pytest.raises(DataError, match="2 images of 12 are in no pair"):
        open_dataset(tmp_path)
    dataset = open_dataset(tmp_path, empty_is_background=True)
    check_labels(dataset, PLAIN, lambda n: labels_of(n) * (n < 10))
    (tmp_path / "data.yaml").write_text("unannotated: skip\n")
    check_labels(open_dataset(tmp_path), PLAIN, count=10)
    (tmp_path / "data.yaml").unlink()
    rows = [f"images/{n}.png,{f'masks/{n}.png' if n < 10 else ''}" for n in range(COUNT)]
    (tmp_path / "manifest.csv").write_text("\n".join(["image,mask", *rows]))
    dataset = open_dataset(tmp_path / "manifest.csv")
    check_labels(dataset, PLAIN, lambda n: labels_of(n) * (n < 10))


def test_images_that_are_copies_of_their_masks_are_an_error(tmp_path):
    for n in range(COUNT):
        draw_mask(tmp_path / "images" / f"{n}.jpg", n)
        draw_mask(tmp_path / "masks" / f"{n}.png", n)
    report = audit(tmp_path)
    (copied,) = [finding for finding in report.findings if finding.code == "copied_mask"]
    assert copied.severity == "error"
    assert len(copied.files) == COUNT
    for n in range(1, COUNT):
        draw_image(tmp_path / "images" / f"{n}.jpg", n)
    (copied,) = [finding for finding in audit(tmp_path).findings if finding.code == "copied_mask"]
    assert (copied.severity, copied.files) == ("warning", (str(Path("images") / "0.jpg"),))


def test_brackets_in_the_path_of_the_data_set(tmp_path):
    root = tmp_path / "set [v1] *"
    for n in range(COUNT):
        draw_image(root / "pictures" / f"{n}.png", n)
        draw(root / "truths" / f"{n}.png", labels_of(n))
    (root / "data.yaml").write_text("images: 'pictures/*.png'\nmasks: 'truths/*.png'\n")
    check_labels(open_dataset(root), PLAIN)
