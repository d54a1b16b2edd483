"""What holds for every encoder with every decoder."""

import importlib
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from maskwright.errors import ConfigError
from maskwright.models import DECODERS, ENCODERS, SegmenterSpec, main_model
from maskwright.models.blocks import BilinearUpsampling, PadToMultiple
from short_encoders import shorten_convnext, shorten_scratch

FOLDER = Path(__file__).resolve().parents[2] / "benchmarks"
# Of every kind of layer there is, as short as it can be; `slow` goes through all at full length.
MOBILENET_TAPS = {2: "block_1_expand_relu", 4: "block_3_expand_relu", 8: "block_6_expand_relu"}
LITE_TAPS = {2: "block1_expand_relu", 4: "block3_expand_relu", 8: "block5_expand_relu"}
KINDS = {
    "residual": {"encoder_widths": (4, 4, 8, 8)},
    "resnet18": {},
    "mit_b0": {},
    "mobilenet_v2": {"alpha": 0.35, "taps": MOBILENET_TAPS},
    "vgg16": {"taps": {1: "block1_conv2", 2: "block2_conv2", 4: "block3_conv3"}},
    "convnext_tiny": {},
    "efficientnet_lite0": {"taps": LITE_TAPS},
}


@pytest.fixture
def zoo(monkeypatch):
    monkeypatch.syspath_prepend(str(FOLDER))
    return importlib.import_module("zoo")


def test_every_decoder_keeps_what_is_promised_of_a_pair(zoo):
    zoo.check_together("plain", list(DECODERS), channels=5, widths=(4, 4, 8, 8))


@pytest.mark.parametrize("encoder", KINDS)
def test_every_kind_of_encoder_keeps_what_is_promised_of_a_pair(encoder, zoo, monkeypatch):
    shorten_convnext(monkeypatch)
    shorten_scratch(monkeypatch)
    channels = 1 + 4 * (list(KINDS).index(encoder) % 2)
    zoo.check_pair(encoder, "light", channels=channels, **KINDS[encoder])


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("encoder", ENCODERS)
def test_every_encoder_keeps_what_is_promised_with_every_decoder(encoder):
    # In a process of its own: oneDNN keeps what it prepares for each shape, 20 GB for all of them.
    code = f"import zoo; zoo.check_together({encoder!r}, {list(DECODERS)})"
    done = subprocess.run([sys.executable, "-c", code], cwd=FOLDER, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]


def test_deep_supervision_adds_logits_that_the_main_model_leaves_out():
    options = {"encoder_name": "plain", "decoder_name": "unet", "encoder_widths": (4, 8, 8, 8)}
    model = SegmenterSpec(2, **options, deep_supervision=True).build()
    image = np.random.default_rng(0).uniform(0, 255, (1, 19, 33, 3)).astype(np.float32)
    outputs = model(image)
    # Steps at strides 4, 2 and 1; the first is left out and the last is the main one.
    assert [output.shape for output in outputs] == [(1, 19, 33, 2)] * 2
    main = main_model(model)
    np.testing.assert_array_equal(main(image), outputs[0])
    assert not any("auxiliary" in layer.name for layer in main.layers)
    with pytest.raises(ConfigError, match="another decoder or an encoder with more strides"):
        SegmenterSpec(2, **{**options, "encoder_widths": (4, 8)}, deep_supervision=True).build()


def test_one_pixel_is_an_image():
    model = SegmenterSpec(2, decoder_name="light", encoder_widths=(4,) * 6).build()
    assert model(np.full((1, 1, 1, 3), 7, np.float32)).shape == (1, 1, 1, 2)


def test_padding_repeats_the_edge():
    padded = PadToMultiple(4)(np.arange(5, dtype=np.float32).reshape(1, 1, 5, 1))
    assert padded.shape == (1, 4, 8, 1)
    np.testing.assert_array_equal(padded[0, 3, :, 0], [0, 1, 2, 3, 4, 4, 4, 4])


def test_enlarging_has_half_pixel_centers():
    row = np.array([0.0, 4.0], np.float32).reshape(1, 1, 2, 1)
    # Centers of the new pixels lie at -1/4, 1/4, 3/4 and 5/4 of the old ones.
    found = BilinearUpsampling(2)(row)
    np.testing.assert_allclose(found[0, 0, :, 0], [0, 1, 3, 4])


def test_one_compiled_function_serves_two_sizes():
    model = SegmenterSpec(2, decoder_name="unet", encoder_widths=(4, 8)).build()
    model.predict(np.zeros((1, 32, 32, 3), np.float32), verbose=0)
    assert model.predict(np.zeros((1, 20, 31, 3), np.float32), verbose=0).shape == (1, 20, 31, 2)


def test_the_docs_list_the_published_networks(zoo):
    page = (FOLDER.parent / "docs" / "architectures.md").read_text(encoding="utf-8")
    assert page.endswith(zoo.published() + "\n")
