"""Stacks of images and masks in arrays: recognized by names and shapes, or stated."""

import h5py
import numpy as np
import pytest

from maskwright.data import open_dataset
from maskwright.data.layers import read_layers
from maskwright.errors import ConfigError, DataError

LABELS = np.random.default_rng(0).integers(0, 4, (10, 32, 24)).astype(np.uint8)
IMAGES = LABELS[..., None] * np.uint8([60, 50, 40]) + np.uint8(7)


@pytest.fixture(autouse=True)
def cache(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def check(path, channels=3):
    dataset = open_dataset(path, val_share=0, test_share=0)
    assert len(dataset.samples) == 10
    for number, sample in enumerate(dataset.samples):
        image, labels = dataset.read(sample)
        assert np.array_equal(image, IMAGES[number, ..., :channels])
        assert np.array_equal(labels, LABELS[number])
    return dataset


def npy(root, **arrays):
    for name, array in arrays.items():
        np.save(root / f"{name}.npy", array)
    return root


def npz(root, **arrays):
    np.savez_compressed(root / "data.npz", **arrays)
    return root / "data.npz"


def hdf5(root, **arrays):
    with h5py.File(root / "data.h5", "w") as file:
        for name, array in arrays.items():
            file.create_dataset(name, data=array, compression="gzip")
    return root


@pytest.mark.parametrize("write", [npy, npz, hdf5])
@pytest.mark.parametrize(
    ("images", "masks"),
    [
        (IMAGES, LABELS),
        (IMAGES.transpose(0, 3, 1, 2), LABELS[:, None]),  # channels first
        (IMAGES.transpose(1, 2, 3, 0), LABELS.transpose(1, 2, 0)),  # the number last
        (IMAGES, np.eye(4, dtype=bool)[LABELS]),  # a plane for each class
        (IMAGES, LABELS.astype(np.float64)),
    ],
)
def test_axes_are_told_by_the_shapes_of_both(tmp_path, write, images, masks):
    dataset = check(write(tmp_path, images=images, masks=masks))
    assert dataset.splits == {"train": 10}
    assert len({sample.case for sample in dataset.samples}) == 10


def test_names_of_classes_are_read_beside_arrays(tmp_path):
    (tmp_path / "classes.txt").write_text("background\ndent\nrust\nscratch\n")
    source = npz(tmp_path, images=IMAGES, masks=LABELS)
    for place in (source, tmp_path):
        assert check(place).labels.names == ("background", "dent", "rust", "scratch")
    (tmp_path / "data.yaml").write_text("classes: [ground, a, b, c]")
    assert check(tmp_path).labels.names == ("ground", "a", "b", "c")


def test_splits_are_those_in_the_names(tmp_path):
    arrays = {"x_train": IMAGES[:6], "y_train": LABELS[:6], "x_test": IMAGES[6:]}
    dataset = check(npz(tmp_path, **arrays, y_test=LABELS[6:]))
    assert dataset.splits == {"train": 6, "test": 4}


def test_splits_are_those_of_the_groups(tmp_path):
    arrays = {"train/image": IMAGES[:6], "train/label": LABELS[:6], "val/image": IMAGES[6:]}
    dataset = check(hdf5(tmp_path, **arrays, **{"val/label": LABELS[6:]}))
    assert dataset.splits == {"train": 6, "val": 4}


def test_a_file_for_each_slice_has_its_case_in_its_name(tmp_path):
    for number in range(10):
        with h5py.File(tmp_path / f"case{number // 2:04}_slice{number % 2:03}.h5", "w") as file:
            file["image"], file["label"] = IMAGES[number, ..., 0], LABELS[number]
    dataset = check(tmp_path, channels=1)
    assert {sample.case for sample in dataset.samples} == {f"case{n:04}" for n in range(5)}


def test_names_that_say_nothing_are_stated(tmp_path):
    npz(tmp_path, a=IMAGES[..., 0], b=LABELS)
    with pytest.raises(DataError, match=r"data.npz:a \(10, 32, 24\) uint8; data.npz:b"):
        open_dataset(tmp_path)
    (tmp_path / "data.yaml").write_text("images: data.npz:a\nmasks: data.npz:b\n")
    check(tmp_path, channels=1)
    (tmp_path / "data.yaml").write_text("images: data.npz:a\nmasks: data.npz:c\n")
    with pytest.raises(DataError, match=r"names the array data.npz:c; data.npz has data.npz:a"):
        open_dataset(tmp_path)


def test_square_images_with_their_number_last_are_a_doubt(tmp_path):
    square = [array[:, :24].transpose(1, 2, 0) for array in (IMAGES[..., 0], LABELS)]
    npz(tmp_path, x=square[0], y=square[1])
    with pytest.raises(DataError, match=r"the axes nhw as well as hwn.*Write `axes: nhw` or"):
        open_dataset(tmp_path)
    (tmp_path / "data.yaml").write_text("axes: hwn\n")
    dataset = open_dataset(tmp_path, val_share=0, test_share=0)
    assert np.array_equal(dataset.read(dataset.samples[3])[1], LABELS[3, :24])
    (tmp_path / "data.yaml").write_text("axes: nhw\n")
    assert len(open_dataset(tmp_path, val_share=0, test_share=0).samples) == 24


def test_two_arrays_of_masks_are_a_doubt(tmp_path):
    npz(tmp_path, images=IMAGES, masks=LABELS, labels=LABELS)
    with pytest.raises(DataError, match=r"images: data.npz:images` and `masks: data.npz:masks"):
        open_dataset(tmp_path)


def test_planes_that_overlap_are_a_doubt_that_data_yaml_settles(tmp_path):
    planes = np.eye(4, dtype=np.uint8)[LABELS]
    planes[0] = 1
    npz(tmp_path, x=IMAGES, y=planes)
    with pytest.raises(DataError, match=r"10.00% of the pixels belong to more than .*multilabel"):
        open_dataset(tmp_path)
    (tmp_path / "data.yaml").write_text("overlap: multilabel\nclasses: [background, a, b, c]\n")
    dataset = open_dataset(tmp_path, val_share=0, test_share=0)
    layers = np.stack([read_layers(dataset, sample)[1] for sample in dataset.samples])
    assert np.array_equal(layers, planes[..., 1:])
    (tmp_path / "data.yaml").write_text("overlap: [c, a, b]\nclasses: [background, a, b, c]\n")
    dataset = open_dataset(tmp_path, val_share=0, test_share=0)
    assert (dataset.read(dataset.samples[0])[1] == 2).all()
    (tmp_path / "data.yaml").write_text("overlap: multilabel\nclasses: [background, a, b]\n")
    with pytest.raises(ConfigError, match=r"names 3 classes, but data.npz:y .* has 4 planes"):
        open_dataset(tmp_path)


def test_ids_that_files_cannot_tell_apart_stay_different_images(tmp_path):
    ids = np.array(["a b", "a_b", "c", "d", "e"])  # those of the training split, and again
    parts = {"train": slice(0, 5), "test": slice(5, 10)}
    arrays = {f"{split}_images": IMAGES[part] for split, part in parts.items()}
    arrays |= {f"{split}_masks": LABELS[part] for split, part in parts.items()}
    dataset = open_dataset(npz(tmp_path, **arrays, train_ids=ids, test_ids=ids), val_share=0)
    images = {dataset.read_image(sample).tobytes() for sample in dataset.samples}
    assert images == {image.tobytes() for image in IMAGES}
    assert len({sample.case for sample in dataset.samples}) == 10
