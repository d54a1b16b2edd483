"""Cityscapes and ADE20K as they are published: classes, ignored pixels, objects, splits, cases."""

import numpy as np
import pytest
from PIL import Image

import maskwright
from maskwright.data import open_dataset
from maskwright.errors import DataError, MaskwrightWarning
from maskwright.labels import IGNORE_LABEL


def save(path, values):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(values).save(path)


@pytest.fixture
def cityscapes(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    root = tmp_path / "cityscapes"
    # Road, two cars, a group of persons without number, license plates; below, the own car.
    ids = np.repeat(np.uint8([[7, 26, 26, 24, 1]]), 4, axis=0)
    numbers = np.repeat(np.uint16([[7, 26000, 26001, 24, 1]]), 4, axis=0)
    ids[3], numbers[3] = 1, 1
    frames = {"train": ("aachen_000000_000019", "aachen_000001_000019", "bonn_000000_000019")}
    frames |= {"val": ("ulm_000000_000019",), "test": ("bern_000000_000019",)}
    for split, names in frames.items():
        for name in names:
            city = name.split("_")[0]
            image = root / "leftImg8bit" / split / city / f"{name}_leftImg8bit.png"
            save(image, np.zeros((4, 5, 3), np.uint8))
            drawn = root / "gtFine" / split / city / f"{name}_gtFine"
            blank = split == "test"
            save(drawn.with_name(f"{drawn.name}_labelIds.png"), np.ones_like(ids) if blank else ids)
            save(drawn.with_name(f"{drawn.name}_instanceIds.png"), numbers)
            save(drawn.with_name(f"{drawn.name}_color.png"), np.zeros((4, 5, 3), np.uint8))
    return root


def test_cityscapes_has_19_classes_and_numbered_objects(cityscapes):
    dataset = open_dataset(cityscapes, test_share=0)
    assert dataset.splits == {"train": 3, "val": 1}
    assert dataset.labels.num_classes == 19
    assert dataset.labels.names[13] == "car"
    assert {s.case for s in dataset.of("train")} == {
        *("aachen_000000", "aachen_000001", "bonn_000000")
    }
    _, labels = dataset.read(dataset.of("val")[0])
    assert labels.tolist() == [[0, 13, 13, 11, IGNORE_LABEL]] * 3 + [[IGNORE_LABEL] * 5]
    assert dataset.read_instances(dataset.of("val")[0]).tolist() == [[0, 1, 2, 0, 0]] * 3 + [
        [0] * 5
    ]
    (note,) = [n for n in dataset.notes if n.code == "unannotated"]
    assert "bern_000000_000019" in note.text


def test_cityscapes_is_equal_after_a_round_trip(cityscapes, tmp_path):
    before = open_dataset(cityscapes, test_share=0)
    with pytest.warns(MaskwrightWarning, match="holds no cases"):  # but in names like these
        out = maskwright.convert(cityscapes, tmp_path / "out", "cityscapes")
    after = open_dataset(out, test_share=0)
    assert after.labels.names == before.labels.names
    for one, other in zip(before.samples, after.samples, strict=True):
        assert (other.split, other.case) == (one.split, one.case)
        assert np.array_equal(after.read(other)[1], before.read(one)[1])
        assert np.array_equal(after.read_instances(other), before.read_instances(one))


@pytest.fixture
def ade20k(tmp_path):
    rows = ["Idx\tRatio\tTrain\tVal\tStuff\tName"]
    rows += ["1\t0.2\t10\t1\t1\twall", "2\t0.1\t10\t1\t1\tscreen, silver screen"]
    rows += ["3\t0.1\t10\t1\t0\tscreen, CRT screen"]
    (tmp_path / "objectInfo150.txt").write_text("\n".join(rows) + "\n")
    for split, count in (("training", 4), ("validation", 2)):
        for number in range(count):
            name = f"ADE_{split[:5]}_{number:08}"
            save(tmp_path / "images" / split / f"{name}.jpg", np.zeros((2, 4, 3), np.uint8))
            mask = np.repeat(np.uint8([[0, 1, 2, 3]]), 2, axis=0)
            save(tmp_path / "annotations" / split / f"{name}.png", mask)
    return tmp_path


def test_ade20k_has_the_classes_of_its_legend_and_ignores_what_is_none(ade20k):
    dataset = open_dataset(ade20k, test_share=0)
    assert dataset.labels.names == ("wall", "screen, silver screen", "screen, CRT screen")
    assert dataset.splits == {"train": 4, "val": 2}
    _, labels = dataset.read(dataset.samples[0])
    assert labels.tolist() == [[IGNORE_LABEL, 0, 1, 2]] * 2


def test_a_legend_that_is_none_is_refused(ade20k):
    (ade20k / "objectInfo150.txt").write_text("wall\nfloor\n")
    with pytest.raises(DataError, match="expected the tab-separated columns Idx and Name"):
        open_dataset(ade20k)
