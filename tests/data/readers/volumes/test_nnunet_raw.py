"""Raw data of nnU-Net, version 1 and 2, and of the Decathlon: channels, labels, splits, endings."""

import json

import numpy as np
import pytest

from drawing_volumes import scene
from maskwright.data import open_dataset
from maskwright.data.layers import layer_labels, read_layers
from maskwright.errors import DataError
from maskwright.imageio import write_image, write_mask
from maskwright.labels import IGNORE_LABEL

nibabel = pytest.importorskip("nibabel")
LABELS = {"background": 0, "liver": 1, "ignore": 2}


@pytest.fixture(autouse=True)
def cache(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def save(path, slices):
    path.parent.mkdir(parents=True, exist_ok=True)
    array = np.moveaxis(slices, [0, 1, 2], [2, 1, 0])
    nibabel.save(nibabel.Nifti1Image(array, np.diag([-1, -1, 3, 1])), path)


def write(root, channels=2, **content):
    for number, part in enumerate(("Tr", "Tr", "Ts")):
        stored, labels = scene(seed=number)
        for channel in range(channels):
            save(root / f"images{part}" / f"c{number}_{channel:04}.nii.gz", stored + channel)
        save(root / f"labels{part}" / f"c{number}.nii.gz", labels)
    named = {"channel_names": {str(n): f"MR {n}" for n in range(channels)}, "labels": LABELS}
    (root / "dataset.json").write_text(json.dumps({**named, "file_ending": ".nii.gz", **content}))


def test_channels_labels_and_splits_are_those_of_dataset_json(tmp_path):
    write(tmp_path)
    dataset = open_dataset(tmp_path, val_share=0)
    assert dataset.layout == "nnU-Net"
    assert dataset.labels.names == ("background", "liver")
    assert dataset.splits == {"train": 8, "test": 4}
    sample = next(s for s in dataset.samples if s.id == "c1-003")
    image, labels = dataset.read(sample)
    stored, drawn = scene(seed=1)
    assert np.array_equal(image, np.stack([stored[3], stored[3] + 1], axis=-1))
    assert np.array_equal(labels, np.where(drawn[3] == 2, IGNORE_LABEL, drawn[3]))
    (tmp_path / "imagesTr" / "c1_0001.nii.gz").unlink()
    with pytest.raises(DataError, match=r"c1_0001.nii.gz is missing; dataset.json names 2 chan"):
        open_dataset(tmp_path)


def test_the_folder_above_a_data_set_and_above_several(tmp_path):
    write(tmp_path / "tasks" / "Task09_Spleen")
    dataset = open_dataset(tmp_path / "tasks")
    assert (dataset.layout, dataset.labels.names) == ("nnU-Net", ("background", "liver"))
    write(tmp_path / "tasks" / "Task10_Colon")
    with pytest.raises(DataError, match="Task09_Spleen, Task10_Colon, each with classes"):
        open_dataset(tmp_path / "tasks")


def test_version_1_and_images_whose_fourth_axis_holds_the_channels(tmp_path):
    write(tmp_path)
    stored = np.stack([scene()[0], scene()[0] + 1], axis=-1)
    for channel in range(2):
        (tmp_path / "imagesTr" / f"c0_{channel:04}.nii.gz").unlink()
    save(tmp_path / "imagesTr" / "c0.nii.gz", stored)
    old = {"modality": {"0": "T1", "1": "T2"}, "labels": {"0": "nothing", "1": "a", "2": "b"}}
    (tmp_path / "dataset.json").write_text(json.dumps(old))
    dataset = open_dataset(tmp_path, val_share=0)
    assert dataset.labels.names == ("nothing", "a", "b")
    sample = next(s for s in dataset.samples if s.id == "c0-002")
    assert np.array_equal(dataset.read(sample)[0], stored[2])


def test_regions_are_a_doubt_that_values_settle(tmp_path):
    write(tmp_path, labels={"background": 0, "whole": [1, 2], "core": [2]})
    with pytest.raises(DataError, match=r"regions that overlap, as whole of the labels \[1, 2\]"):
        open_dataset(tmp_path)
    (tmp_path / "data.yaml").write_text("values: {0: background, 1: edema, 2: core}\n")
    assert open_dataset(tmp_path).labels.names == ("background", "edema", "core")
    (tmp_path / "data.yaml").write_text("overlap: multilabel\n")
    dataset = open_dataset(tmp_path, val_share=0)
    sample = next(s for s in dataset.samples if s.id == "c0-002")
    layers, labels = read_layers(dataset, sample)[1], scene()[1][2]
    assert layer_labels(dataset.labels).names == ("whole", "core")
    assert np.array_equal(layers, np.stack([labels > 0, labels == 2], axis=-1))


def test_images_in_png(tmp_path):
    for number in range(3):
        colors = np.full((4, 6, 3), number, np.uint8)
        write_image(tmp_path / "imagesTr" / f"c{number}_0000.png", colors)
        write_mask(tmp_path / "labelsTr" / f"c{number}.png", np.eye(4, 6, dtype=np.uint8))
    content = {"channel_names": {"0": "R", "1": "G", "2": "B"}, "file_ending": ".png"}
    content["labels"] = {"background": 0, "vessel": 1}
    (tmp_path / "dataset.json").write_text(json.dumps(content))
    dataset = open_dataset(tmp_path, val_share=0, test_share=0)
    image, labels = dataset.read(dataset.samples[2])
    assert (dataset.samples[2].id, image.dtype, int(image.max())) == ("c2", np.uint8, 2)
    assert np.array_equal(labels, np.eye(4, 6))
