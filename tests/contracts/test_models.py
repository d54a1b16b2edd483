"""What holds for every encoder with every decoder."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from maskwright.errors import ConfigError
from maskwright.models import DECODERS, ENCODERS, build, main_model
from maskwright.models.blocks import BilinearUpsampling, PadToMultiple

# The others are larger members of families that stand here.
SMALLEST = [
    *("plain", "mobilenet_v2", "mobilenet_v3_small", "efficientnet_v2_b0", "efficientnet_v2_s"),
    *("resnet50", "convnext_tiny"),
]


@pytest.mark.parametrize("decoder", DECODERS)
@pytest.mark.parametrize("encoder", SMALLEST)
def test_any_size_and_channels_a_step_and_back_from_a_file(encoder, decoder, tmp_path):
    channels = 1 if decoder == "light" else 5
    keras.utils.set_random_seed(0)
    options = {"encoder_widths": (4, 8, 8)} if encoder == "plain" else {}
    model = build(3, encoder_name=encoder, decoder_name=decoder, channels=channels, **options)
    rng = np.random.default_rng(0)
    odd = rng.uniform(0, 255, (2, 33, 47, channels)).astype(np.float32)
    with tf.GradientTape() as tape:
        logits = model(odd, training=True)
        loss = tf.reduce_mean(tf.square(logits))
    assert logits.shape == (2, 33, 47, 3)
    gradients = tape.gradient(loss, [v.value for v in model.trainable_variables])
    assert all(g is not None and np.isfinite(g).all() for g in gradients)
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    other = rng.uniform(0, 255, (1, 64, 32, channels)).astype(np.float32)
    np.testing.assert_allclose(again(other), model(other), rtol=1e-5, atol=1e-5)


def test_every_name_is_built():
    assert set(SMALLEST) < set(ENCODERS)


def test_deep_supervision_adds_logits_that_the_main_model_leaves_out():
    options = {"encoder_name": "plain", "decoder_name": "unet", "encoder_widths": (4, 8, 8, 8)}
    model = build(2, **options, deep_supervision=True)
    image = np.random.default_rng(0).uniform(0, 255, (1, 19, 33, 3)).astype(np.float32)
    outputs = model(image)
    # Steps at strides 4, 2 and 1; the first is left out and the last is the main one.
    assert [output.shape for output in outputs] == [(1, 19, 33, 2)] * 2
    main = main_model(model)
    np.testing.assert_array_equal(main(image), outputs[0])
    assert not any("auxiliary" in layer.name for layer in main.layers)
    with pytest.raises(ConfigError, match="another decoder or an encoder with more strides"):
        build(2, **{**options, "encoder_widths": (4, 8)}, deep_supervision=True)


def test_one_pixel_is_an_image():
    model = build(2, encoder_name="mobilenet_v2", decoder_name="light", alpha=0.35)
    assert model(np.full((1, 1, 1, 3), 7, np.float32)).shape == (1, 1, 1, 2)


def test_padding_repeats_the_edge():
    padded = PadToMultiple(4)(np.arange(5, dtype=np.float32).reshape(1, 1, 5, 1))
    assert padded.shape == (1, 4, 8, 1)
    np.testing.assert_array_equal(padded[0, 3, :, 0], [0, 1, 2, 3, 4, 4, 4, 4])


def test_enlarging_has_half_pixel_centres():
    row = np.array([0.0, 4.0], np.float32).reshape(1, 1, 2, 1)
    # Centres of the new pixels lie at -1/4, 1/4, 3/4 and 5/4 of the old ones.
    found = BilinearUpsampling(2)(row)
    np.testing.assert_allclose(found[0, 0, :, 0], [0, 1, 3, 4])


def test_one_compiled_function_serves_two_sizes():
    model = build(2, encoder_name="plain", decoder_name="unet", encoder_widths=(4, 8))
    model.predict(np.zeros((1, 32, 32, 3), np.float32), verbose=0)
    assert model.predict(np.zeros((1, 20, 31, 3), np.float32), verbose=0).shape == (1, 20, 31, 2)
