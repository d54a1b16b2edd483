import numpy as np
import pytest

import maskwright
from drawing_samples import draw
from maskwright.data import open_dataset
from maskwright.data.writers import WRITERS
from maskwright.errors import ConfigError

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
    """Split, labels and objects of every sample."""
    return {
        sample.id.rpartition("-")[2]: (sample.split, dataset.read(sample)[1].tolist())
        for sample in dataset.samples
    }


@pytest.mark.parametrize("name", sorted(WRITERS.keys() - {"cityscapes", "dicom-seg"}))
def test_labels_are_equal_after_a_round_trip(name, folder, tmp_path):
    before = open_dataset(folder, val_share=0, test_share=0)
    out = maskwright.convert(folder, tmp_path / "out", name)
    after = open_dataset(out, val_share=0, test_share=0)
    assert after.labels.names == before.labels.names
    assert contents(after) == contents(before)


def test_nothing_is_written_over_and_formats_are_named(folder, tmp_path):
    with pytest.raises(ConfigError, match="There is no format 'jpeg' to write; expected masks"):
        maskwright.convert(folder, tmp_path / "out", "jpeg")
    with pytest.raises(ConfigError, match="exists already; name a new folder"):
        maskwright.convert(folder, folder, "masks")
