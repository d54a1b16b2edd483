"""Images and masks in memory become a data set of files."""

import numpy as np
import pytest
import tensorflow as tf

import maskwright
from maskwright.data.writers.arrays import write_arrays
from maskwright.errors import ConfigError


def pairs(dtype=np.uint8, channels=3, number=5):
    rng = np.random.default_rng(0)
    images = (rng.random((number, 8, 12, channels)) * 255).astype(dtype)
    masks = (rng.random((number, 8, 12)) > 0.6).astype(np.int64)
    masks[:, 0, 0] = 255
    return images, masks


@pytest.mark.parametrize(("dtype", "channels"), [(np.uint8, 3), (np.uint16, 1), (np.float32, 5)])
def test_arrays_are_read_back_as_they_were(tmp_path, dtype, channels):
    images, masks = pairs(dtype, channels)
    data = maskwright.open_dataset(write_arrays((images, masks[..., None]), tmp_path / "data"))
    assert data.labels.names == ("background", "foreground")
    for sample in data.samples:
        number = int(sample.id)
        np.testing.assert_array_equal(data.read_image(sample), images[number])
        np.testing.assert_array_equal(data.read_mask(sample), masks[number])


@pytest.mark.parametrize("batched", [False, True])
def test_tf_data_in_pairs_and_dicts(tmp_path, batched):
    images, masks = pairs()
    single = tf.data.Dataset.from_tensor_slices((images, masks))
    named = single.map(lambda x, y: {"image": x, "segmentation_mask": y})
    for number, data in enumerate((single, named)):
        folder = write_arrays(data.batch(2) if batched else data, tmp_path / str(number))
        assert len(maskwright.open_dataset(folder).samples) == 5


def test_the_same_again_is_left_and_others_are_refused(tmp_path):
    images, masks = pairs()
    folder = write_arrays((images, masks), tmp_path / "data")
    assert write_arrays((images, masks), folder) == folder
    with pytest.raises(ConfigError, match="holds other files"):
        write_arrays((images[::-1], masks[::-1]), folder)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda x, y: (x, y[:3]), "as many masks as images; received 3 and 5"),
        (lambda x, y: (x, np.where(y == 1, 255, 0)), "divide them by 255"),
        (lambda x, y: (x, y / 2), "class numbers from 0 to 255"),
        (lambda x, y: (x, np.eye(2)[y % 2]), "argmax"),
        (lambda x, y: (x[:, :4], y), "with masks"),
        (lambda x, y: (x.astype(complex), y), "uint8, uint16 or finite floats"),
        (lambda x, y: (x[:0], y[:0]), "received none"),
        (lambda x, y: x, "received a ndarray"),
        (lambda x, y: tf.data.Dataset.from_tensors((x, y)).repeat(), "leave `repeat` out"),
        (lambda x, y: tf.data.Dataset.from_tensors({"x": x}), "received keys x"),
    ],
)
def test_other_forms_are_refused_and_nothing_is_written(tmp_path, change, message):
    with pytest.raises(ConfigError, match=message):
        write_arrays(change(*pairs()), tmp_path / "data")
    assert not (tmp_path / "data").exists()
