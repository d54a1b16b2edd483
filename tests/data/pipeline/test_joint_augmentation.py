import keras
import numpy as np
import pytest
import tensorflow as tf

from maskwright.augment import Augmentation, JointAugmentation, augment_dataset

# A gradient along each axis, and a mask that is 1 where the image is bright.
ROWS, COLUMNS = np.indices((16, 20))
IMAGES = np.stack([np.dstack([ROWS * 10, COLUMNS * 10, n * 20 + 0 * ROWS]) for n in range(6)])
IMAGES = IMAGES.astype(np.uint8)
MASKS = (IMAGES[..., 0] >= 80).astype(np.int64)
FLIPS = Augmentation(flip_horizontal=0.5, flip_vertical=0.5)


def pairs(batch=3):
    data = tf.data.Dataset.from_tensor_slices((IMAGES, MASKS))
    return data.batch(batch) if batch else data


def epoch(data):
    return [np.concatenate(parts) for parts in zip(*data.as_numpy_iterator(), strict=True)]


def test_image_and_mask_move_together_and_shapes_are_static():
    data = augment_dataset(pairs(), FLIPS)
    images, masks = data.element_spec
    assert images == tf.TensorSpec((None, 16, 20, 3), tf.float32)
    assert masks == tf.TensorSpec((None, 16, 20), tf.int64)
    assert data.cardinality() == 2
    images, masks = epoch(data)
    np.testing.assert_array_equal(masks, images[..., 0] >= 80)
    assert not np.array_equal(masks, MASKS)


def test_every_epoch_is_new_and_a_seed_repeats_them_all():
    data = augment_dataset(pairs(), "strong", seed=3)
    first, second = epoch(data), epoch(data)
    assert not np.array_equal(first[0], second[0])
    again = augment_dataset(pairs(), "strong", seed=3)
    for expected in (first, second):
        for one, other in zip(expected, epoch(again), strict=True):
            np.testing.assert_array_equal(one, other)
    other = augment_dataset(pairs(), "strong", seed=4)
    assert not np.array_equal(first[0], epoch(other)[0])


def test_crops_single_images_dictionaries_and_weights():
    data = tf.data.Dataset.from_tensor_slices({"images": IMAGES, "masks": MASKS[..., None]})
    element = next(iter(augment_dataset(data, "none", size=(8, 12))))
    assert (element["images"].shape, element["masks"].shape) == ((8, 12, 3), (8, 12, 1))
    weighted = tf.data.Dataset.from_tensor_slices((IMAGES, MASKS, np.arange(6))).batch(6)
    *_, weights = next(iter(augment_dataset(weighted)))
    np.testing.assert_array_equal(weights, np.arange(6))


def test_pixels_beyond_the_border_have_the_label_asked_for():
    shrunk = {"scale": (2.0, 2.0)}
    for label in (255, 0):
        layer = JointAugmentation(shrunk, border_label=label)
        masks = layer({"images": IMAGES, "masks": np.ones_like(MASKS)})["masks"]
        assert set(np.unique(masks)) == {1, label}


def test_the_layer_differs_at_each_call_and_comes_back_from_its_config():
    layer = JointAugmentation("medium", seed=1)
    batch = {"images": IMAGES, "masks": MASKS, "names": tf.constant(["a"] * 6)}
    first, second = layer(batch), layer(batch)
    assert first["names"].dtype == tf.string
    assert not np.array_equal(first["images"], second["images"])
    again = keras.layers.deserialize(keras.layers.serialize(layer))
    np.testing.assert_array_equal(again(batch)["images"], first["images"])
    assert layer(batch, training=False)["images"].dtype == tf.uint8


def test_the_layer_is_new_in_each_epoch_of_a_data_set():
    data = tf.data.Dataset.from_tensors({"images": IMAGES, "masks": MASKS})
    data = data.map(JointAugmentation("medium"))
    first, second = next(iter(data)), next(iter(data))
    assert first["masks"].shape == (6, 16, 20)
    assert not np.array_equal(first["images"], second["images"])


def test_what_does_not_fit_is_told():
    layer = JointAugmentation("light")
    with pytest.raises(ValueError, match="it lacks masks"):
        layer({"images": IMAGES})
    with pytest.raises(ValueError, match=r"masks of shape \(6, 16, 20, 3\)"):
        layer({"images": IMAGES, "masks": IMAGES})
    with pytest.raises(ValueError, match="needs the range of pixel values of float32"):
        layer({"images": IMAGES.astype("float32"), "masks": MASKS})
    with pytest.raises(ValueError, match=r"elements \(images, masks\)"):
        augment_dataset(tf.data.Dataset.from_tensor_slices(IMAGES))
    with pytest.raises(ValueError, match="whole numbers from 0 to 255"):
        layer({"images": IMAGES, "masks": MASKS + 0.5})
