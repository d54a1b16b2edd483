from dataclasses import dataclass

import cv2
import numpy as np
import pytest

from drawing_classes import VIEW, draw_image, draw_mask
from drawing_samples import draw
from maskwright.data import open_dataset
from maskwright.data.geometry import cut_image, cut_labels, resize_labels
from maskwright.data.pipeline.arrays import Arrays, class_weights, rare_class_weights
from maskwright.data.pipeline.load_arrays import load
from maskwright.data.samples import Sample
from maskwright.errors import DataError
from maskwright.imageio import read_header
from maskwright.labels import IGNORE_LABEL, Labels

TWO = Labels.create(("background", "foreground"))


@dataclass
class Folder:
    """A data set that counts how often it decodes."""

    decoded: int = 0
    channels: int = 3
    dtype: str = "uint8"
    encoding: str = "indices"
    fit: str = "as stored"
    labels: Labels = TWO

    def header(self, path):
        return read_header(path)

    def read(self, sample):
        self.decoded += 1
        image = cv2.imread(str(sample.image))
        if image is None:
            raise DataError(f"{sample.image} is empty.")
        return image, (image[..., 0] > 127).astype(np.int32)


def write_samples(folder, sizes):
    samples = []
    for index, (height, width) in enumerate(sizes):
        path = folder / f"{index}.png"
        values = np.random.default_rng(index).integers(0, 256, (height, width, 3))
        cv2.imwrite(str(path), values.astype(np.uint8))
        samples.append(Sample(str(index), path, (), str(index), weight=1.0 + index))
    return samples


def test_native_sizes_come_back_as_they_are(tmp_path):
    samples, folder = write_samples(tmp_path, [(5, 7), (4, 9), (6, 6)]), Folder()
    arrays = load(folder, samples, None)
    assert arrays.size is None
    assert arrays.weights.tolist() == [1, 2, 3]
    for sample, (image, mask) in zip(samples, arrays, strict=True):
        expected, labels = folder.read(sample)
        np.testing.assert_array_equal(image, expected)
        np.testing.assert_array_equal(mask, labels)


def test_above_the_limit_a_file_is_kept_and_found_again(tmp_path):
    samples, folder = write_samples(tmp_path, [(5, 7), (4, 9)]), Folder()
    in_memory = load(folder, samples, (8, 8))
    on_disk = load(folder, samples, (8, 8), memory_limit_mb=0, cache_dir=tmp_path / "cache")
    again = load(folder, samples, (8, 8), memory_limit_mb=0, cache_dir=tmp_path / "cache")
    assert folder.decoded == 4
    assert isinstance(again.pixels, np.memmap)
    assert in_memory.fingerprint() == on_disk.fingerprint() == again.fingerprint()
    samples[0].image.write_bytes(samples[1].image.read_bytes())
    changed = load(folder, samples, (8, 8), memory_limit_mb=0, cache_dir=tmp_path / "cache")
    assert changed.fingerprint() != again.fingerprint()
    assert not list((tmp_path / "cache").glob(".*"))


def test_masks_with_a_field_of_view_are_decoded_again(tmp_path):
    for number in range(3):
        draw_image(tmp_path / "set" / "images" / f"{number}.png", number)
        draw_mask(tmp_path / "set" / "masks" / f"{number}.png", number)
        draw(tmp_path / "set" / "extra" / f"{number}.png", VIEW)

    def ignored(line):
        (tmp_path / "set" / "data.yaml").write_text(f"{line}\nunannotated: skip\n")
        dataset = open_dataset(tmp_path / "set", val_share=0, test_share=0)
        samples = dataset.of("train")
        arrays = load(dataset, samples, None, memory_limit_mb=0, cache_dir=tmp_path / "cache")
        return [int((mask == IGNORE_LABEL).sum()) for _, mask in arrays]

    outside = int((VIEW == 0).sum())
    assert ignored("masks: masks") == [0] * 3
    assert ignored("masks: masks\nfield_of_view: extra") == [outside] * 3


def test_an_unreadable_sample_stops_or_is_left_out(tmp_path):
    samples, folder = write_samples(tmp_path, [(5, 7), (4, 9), (6, 6)]), Folder()
    samples[1].image.write_bytes(b"")
    for size in (None, (4, 4)):
        with pytest.raises(DataError, match=r"1\.png is empty"):
            load(folder, samples, size)
        arrays = load(folder, samples, size, skip_unreadable=True)
        assert arrays.ids == ("0", "2")
        assert arrays.weights.tolist() == [1, 3]
        assert "1.png is empty" in arrays.skipped[0]
        ((alone, _),) = load(folder, samples[2:], size)
        np.testing.assert_array_equal(arrays[1][0], alone)


def test_class_weights_are_median_frequency_with_mean_one_over_pixels():
    # Class 0: 12 of 16 pixels. Class 1: 4 of 16. Class 2 never. Frequencies 3/4 and 1/4.
    mask = np.array([[0, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0], [1, 1, 1, 1]])
    ignored = np.full((4, 4), IGNORE_LABEL)
    arrays = Arrays.from_numpy(np.zeros((2, 4, 4, 1), np.uint8), [mask, ignored])
    weights = class_weights(arrays, 3)
    # Median 1/2 over frequency gives 2/3 and 2; their mean over pixels is (12*2/3 + 4*2)/16 = 1.
    np.testing.assert_allclose(weights, [2 / 3, 2, 1], rtol=1e-6)
    np.testing.assert_allclose(rare_class_weights(arrays, 3), [0.25, 0.75, 0])


def test_class_weights_without_any_pixel_are_ones():
    arrays = Arrays.from_numpy(np.zeros((1, 2, 2, 1), np.uint8), np.full((1, 2, 2), IGNORE_LABEL))
    assert class_weights(arrays, 2).tolist() == [1, 1]


def test_nearest_label_is_that_of_the_pixel_below_the_center():
    # Centers of two pixels on four: 0.5*2=1 and 1.5*2=3, inside pixels 1 and 3.
    assert resize_labels(np.array([[0, 1, 2, 3]]), (1, 2)).tolist() == [[1, 3]]
    assert resize_labels(np.array([[7, 8]]), (2, 4)).tolist() == [[7, 7, 8, 8]] * 2


def test_cut_beyond_the_border_reflects_and_ignores():
    row = np.array([[1, 2, 3]], np.uint8)
    assert cut_image(row[..., None], 0, -1, (1, 5))[..., 0].tolist() == [[2, 1, 2, 3, 2]]
    assert cut_labels(row, 0, -1, (1, 5)).tolist() == [[255, 1, 2, 3, 255]]
    assert cut_labels(row, 0, 5, (1, 2)).tolist() == [[255, 255]]
