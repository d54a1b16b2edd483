import zipfile

import numpy as np
import pytest

from drawing_samples import draw
from maskwright.data import open_dataset
from maskwright.errors import DataError
from maskwright.imageio import NamedBytes, find_images, read_header, read_image, read_mask

PIXELS = np.arange(20 * 30 * 3, dtype=np.uint16).reshape(20, 30, 3)


def saved(path, array):
    np.savez_compressed(path, array) if path.suffix == ".npz" else np.save(path, array)
    return path


@pytest.mark.parametrize("suffix", [".npy", ".npz"])
def test_arrays_are_images(tmp_path, suffix):
    for pixels, dtype in (
        (PIXELS, "uint16"),
        (np.asfortranarray(PIXELS), "uint16"),
        (PIXELS.astype(">u2"), "uint16"),
        (PIXELS[..., 0] % 200, "uint16"),
        (PIXELS.astype(np.int64), "float32"),
        (np.repeat(PIXELS / 7, 2, axis=2), "float32"),
    ):
        path = saved(tmp_path / f"x{suffix}", pixels)
        header, image = read_header(path), read_image(path)
        assert (header.height, header.width, header.channels) == image.shape
        assert header.dtype == image.dtype == dtype
        np.testing.assert_allclose(image, pixels.reshape(20, 30, -1))
        data = NamedBytes("x", path.read_bytes())
        np.testing.assert_array_equal(read_image(data), image)
    assert find_images(tmp_path) == [path]
    assert set(np.unique(read_image(saved(tmp_path / "b.npy", PIXELS > 700)))) == {0, 255}


def test_masks_are_labels_colors_or_one_layer_for_each_class(tmp_path):
    labels = np.arange(20 * 30).reshape(20, 30) % 5
    for array in (labels, labels.astype(np.float64), labels[..., None], np.eye(5)[labels]):
        np.testing.assert_array_equal(read_mask(saved(tmp_path / "m.npz", array)).values, labels)
    three = np.eye(3, dtype=bool)[labels % 3]
    np.testing.assert_array_equal(read_mask(saved(tmp_path / "m.npy", three)).values, labels % 3)
    colors = np.uint8([(0, 0, 0), (9, 0, 0), (0, 80, 7), (3, 3, 4), (5, 6, 7)])[labels]
    np.testing.assert_array_equal(read_mask(saved(tmp_path / "m.npy", colors)).values, colors)
    overlapping = np.eye(5)[labels]
    overlapping[0, 0] = 1
    with pytest.raises(DataError, match="5 channels; expected a mask of one"):
        read_mask(saved(tmp_path / "m.npy", overlapping))


def test_channels_may_come_first(tmp_path):
    image = np.arange(17 * 20 * 3, dtype=np.uint16).reshape(17, 20, 3)
    path = saved(tmp_path / "x.npy", np.moveaxis(image, 2, 0))
    np.testing.assert_array_equal(read_image(path), image)
    assert read_header(path).channels == 3


def test_other_arrays_are_refused_before_they_are_read(tmp_path):
    for array, reason in (
        (np.zeros((3, 40, 50, 1), np.uint8), r"shape \(3, 40, 50, 1\); expected \(height, width"),
        (np.zeros(40, np.uint8), r"shape \(40,\)"),
        (np.zeros((4, 4), np.complex64), "complex64 pixels"),
        (np.array([[{}]]), "cannot be decoded"),
    ):
        with pytest.raises(DataError, match=reason):
            read_image(saved(tmp_path / "x.npy", array))
    np.savez(tmp_path / "two.npz", image=PIXELS, mask=PIXELS)
    with pytest.raises(DataError, match=r"holds 2 arrays \(image, mask\); expected one"):
        read_header(tmp_path / "two.npz")
    with pytest.raises(DataError, match="more than the limit of 10 pixels"):
        read_image(saved(tmp_path / "x.npy", PIXELS), max_pixels=10)
    whole = (tmp_path / "x.npy").read_bytes()
    (tmp_path / "half.npy").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match="is damaged"):
        read_image(tmp_path / "half.npy")
    big = whole[:128].replace(b"(20, 30, 3)", b"(9000,9000)")
    with zipfile.ZipFile(tmp_path / "bomb.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x.npy", big + bytes(100))
    with pytest.raises(DataError, match=r"declares uint16 of the shape \(9000, 9000\)"):
        read_header(tmp_path / "bomb.npz")


def test_folders_of_arrays_are_a_data_set(tmp_path):
    labels = np.zeros((24, 24), np.uint8)
    labels[3:9, 4:20] = 1
    labels[12:20, 4:9] = 2
    image = np.float32([0.1, 0.5, 0.9])[labels]
    for number in range(10):
        for name, array in (("images", image), ("masks", np.eye(3)[labels])):
            path = tmp_path / name / f"{number}.npy"
            path.parent.mkdir(exist_ok=True)
            saved(path, array)
    draw(tmp_path / "masks" / "0.png", labels)
    (tmp_path / "masks" / "0.npy").unlink()
    dataset = open_dataset(tmp_path)
    assert (dataset.channels, dataset.dtype, len(dataset.samples)) == (1, "float32", 10)
    assert dataset.labels.names == ("class_0", "class_1", "class_2")
    for sample in dataset.samples:
        pixels, mask = dataset.read(sample)
        np.testing.assert_array_equal(pixels[..., 0], image)
        np.testing.assert_array_equal(mask, labels)
