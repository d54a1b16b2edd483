"""Heat lies where the decision is made, and only inside the mask."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from maskwright.errors import ModelError
from maskwright.models import ClassifierSpec
from maskwright.tasks.regions.grad_cam import draw_heat, heat_map

SIDE = 33  # not a multiple of any stride


def drawn(count, seed):
    """Discs, half of them with a bright blob in one quarter; `(inputs, labels, quarters)`."""
    generator = np.random.default_rng(seed)
    y, x = np.mgrid[:SIDE, :SIDE]
    disc = (y - 16) ** 2 + (x - 16) ** 2 < 14**2
    labels, quarters = np.arange(count) % 2, generator.integers(4, size=count)
    images = generator.normal(90, 10, (count, SIDE, SIDE, 1))
    for image, label, quarter in zip(images, labels, quarters, strict=True):
        top, left = 10 + 12 * (quarter // 2), 10 + 12 * (quarter % 2)
        image[..., 0] += 90 * label * ((y - top) ** 2 + (x - left) ** 2 < 9)
    inputs = {"images": images, "masks": np.tile(disc, (count, 1, 1)), "bags": np.eye(count)}
    return {name: v.astype(np.float32) for name, v in inputs.items()}, labels, quarters


@pytest.fixture(scope="module")
def trained():
    keras.utils.set_random_seed(0)
    model = ClassifierSpec(
        channels=1, encoder_widths=(8, 16, 16), pooling="mean", dropout=0.0
    ).build()
    optimizer = keras.optimizers.Adam(3e-3)
    inputs, labels, _ = drawn(64, seed=0)
    variables = model.trainable_variables
    optimizer.build(variables)

    @tf.function(autograph=False)
    def step():
        with tf.GradientTape() as tape:
            logits = model(inputs, training=True)[:, 0]
            loss = tf.nn.sigmoid_cross_entropy_with_logits(labels.astype(np.float32), logits)
        optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))

    for _ in range(40):
        step()
    return model


def test_heat_lies_in_the_quarter_that_decides(trained):
    trained.get_layer("encoder").trainable = False
    inputs, labels, quarters = drawn(16, seed=1)
    heat = heat_map(trained, inputs)
    assert heat.shape == inputs["masks"].shape
    assert not heat[inputs["masks"] == 0].any()
    for one, quarter in zip(heat[labels == 1], quarters[labels == 1], strict=True):
        means = [
            part.mean() for half in (one[:16], one[17:]) for part in (half[:, :16], half[:, 17:])
        ]
        assert one.max() == 1
        assert np.argmax(means) == quarter
        assert means[quarter] > 2 * np.median(means)


def test_nothing_that_decides_is_no_heat():
    inputs, _, _ = drawn(2, seed=0)
    untrained = ClassifierSpec(
        channels=1, encoder_widths=(4,)
    ).build()  # starts with zeros for pixels
    assert not heat_map(untrained, inputs).any()
    reference = ClassifierSpec("reference", channels=1, size=SIDE).build()
    assert heat_map(reference, inputs).shape == (2, SIDE, SIDE)


def test_only_the_inside_is_drawn():
    crop = np.full((5, 6, 3), 100, np.uint8)
    mask = np.zeros((5, 6), bool)
    mask[1:5, 1:6] = True  # up to the lower and right edge
    heat = np.zeros((5, 6), np.float32)
    heat[2, 2], heat[2, 3], heat[0, 0] = 1, 0.5, 1
    picture = draw_heat(crop, heat, mask)
    np.testing.assert_array_equal(picture[~mask], 100)
    np.testing.assert_array_equal(picture[[1, 4, 2, 2], [2, 2, 1, 5]], 255)  # the outline
    np.testing.assert_array_equal(picture[3, 3], 100)  # inside, but cold
    # Of the hottest color, a yellow of 252, 255, 164, there are three quarters.
    np.testing.assert_array_equal(picture[2, 2], [0.75 * 252 + 25, 216, 0.75 * 164 + 25])
    assert picture[2, 3, 0] > picture[2, 3, 2]  # warm, so red before blue


def test_what_has_no_heat_is_said():
    inputs, _, _ = drawn(2, seed=0)
    with pytest.raises(ModelError, match="measures alone"):
        heat_map(ClassifierSpec(pixels=False, num_measures=2).build(), inputs)
