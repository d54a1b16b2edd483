"""The features that unlike images are told by, from a model that was saved and loaded."""

import keras
import numpy as np
import pytest

from maskwright.models import SegmenterSpec
from maskwright.models.encoders.channel_means import FEATURES, LOGITS, with_channel_means


@pytest.mark.parametrize(
    ("widths", "strides"), [((2, 2, 2, 3, 5, 7), (8, 16)), ((2, 3, 4, 6), (8,)), ((3, 4), (1, 2))]
)
def test_features_are_channel_means_and_logits_stay(tmp_path, widths, strides):
    spec = SegmenterSpec(num_classes=2, decoder_name="light", encoder_widths=widths)
    spec.build().save(tmp_path / "model.keras")
    model = keras.saving.load_model(tmp_path / "model.keras", compile=False)
    images = np.random.default_rng(0).uniform(0, 255, (2, 64, 32, 3)).astype(np.float32)
    outputs = with_channel_means(model)(images, training=False)
    np.testing.assert_array_equal(outputs[LOGITS], model(images, training=False))
    features = model.get_layer("encoder")(images, training=False)
    by_stride = {64 // each.shape[1]: np.asarray(each) for each in features}
    expected = np.concatenate([by_stride[s].mean(axis=(1, 2)) for s in strides], axis=-1)
    np.testing.assert_allclose(outputs[FEATURES], expected, rtol=1e-4, atol=1e-6)
