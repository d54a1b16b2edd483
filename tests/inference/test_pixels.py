import math
import warnings

import numpy as np
import pytest
import tifffile
from drawing_masks import brightness, card, predict_folder
from fastapi.testclient import TestClient

import maskwright
from made_up_models import as_file, masks, registry
from maskwright.data import open_dataset
from maskwright.errors import ConfigError, DataError, MaskwrightWarning
from maskwright.evaluation import EvaluateOptions
from maskwright.imageio import read_mask, write_image
from maskwright.imageio.windows import Windows
from maskwright.inference import Predictor, predict_large
from maskwright.inference.large.stripes import sampled_pixels
from maskwright.inference.pixels import fit_range, pixel_percentiles, spread_bits
from maskwright.serving import create_app
from maskwright.tasks.semantic.evaluation.scorer import evaluate_masks

TRAINED = (5.0, 10.0, 100.0, 220.0, 240.0)
RAMP = np.linspace(5, 240, 24 * 24).reshape(24, 24, 1).repeat(3, axis=2)


def test_percentiles_of_pixels():
    assert pixel_percentiles(np.arange(1001)) == (1, 10, 500, 990, 999)


@pytest.mark.parametrize(
    ("image", "error"),
    [
        ((RAMP * 16).astype(np.uint16), "uint16 from 8[0-9.]* to 38[0-9.]*, and training had 5 to"),
        ((RAMP * 64).astype(np.uint16), "uint16 from 3[0-9.]* to 15[0-9.]*, and training had"),
        ((RAMP / 255).astype(np.float32), r"float32 from .* state what .* --pixel-range LOW HIGH"),
        ((RAMP * 257).astype(np.float32), "pixels of float32 from"),
    ],
)
def test_pixels_of_a_type_that_cannot_be_meant_are_refused(image, error):
    predictor = Predictor(brightness, card(percentiles=TRAINED))
    with pytest.raises(DataError, match=error):
        predictor(image)
    high = 1.0 if image.max() <= 1 else 255.0 * round(image.max() / RAMP.max())
    stated = predictor.adjusted(pixel_range=(0.0, high))(image).labels
    expected = predictor(RAMP.astype(np.uint8)).labels
    assert (stated != expected).mean() < 0.02  # rounding
    assert 0 < expected.mean() < 1


@pytest.mark.parametrize(
    "image",
    [
        RAMP.astype(np.uint8),
        (RAMP * 257).astype(np.uint16),
        RAMP.astype(np.float32),
        np.zeros((8, 8, 3), np.float32) + 120,
    ],
)
def test_pixels_as_in_training_pass(image):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fit_range(image, card(percentiles=TRAINED))
        fit_range(image, card())  # nothing is known of training


def test_bits_that_a_file_states_are_scaled_for_a_model_of_eight(tmp_path):
    model = Predictor(brightness, card(percentiles=TRAINED))
    gray = RAMP[..., 0]
    stated = [(281, "H", 1, 4095, True)]
    (tmp_path / "in").mkdir()
    for name, tags in (("stated", stated), ("unstated", [])):
        pixels = (gray * 4095 / 255).round().astype(np.uint16)
        tifffile.imwrite(tmp_path / "in" / f"{name}.tif", pixels, extratags=tags)
    result = predict_folder(model, tmp_path / "in", tmp_path / "out", overlays=False)
    assert [path.stem for path in result.written] == ["stated"]
    assert "--pixel-range" in result.failed[0].reason
    expected = model(gray.astype(np.uint8)[..., None]).labels
    assert 0 < expected.mean() < 1
    found = read_mask(tmp_path / "out" / "stated.png").values
    assert (found != expected).mean() < 0.02  # rounding
    predict_large(model, tmp_path / "in" / "stated.tif", tmp_path / "large.tif")
    np.testing.assert_array_equal(read_mask(tmp_path / "large.tif").values, found)
    # A stated range wins, and a model of 16 bits has learned from such files.
    ranged = model.adjusted(pixel_range=(0.0, 4095.0))
    predict_folder(ranged, tmp_path / "in", tmp_path / "ranged", overlays=False)
    for name in ("stated", "unstated"):
        mask = read_mask(tmp_path / "ranged" / f"{name}.png").values
        assert (mask != expected).mean() < 0.02
    deep = np.full((2, 2, 1), 4000, np.uint16)
    np.testing.assert_array_equal(spread_bits(deep, 4095, card(dtype="uint16")), deep)


@pytest.mark.parametrize(("shift", "word"), [(-200, "darker"), (230, "brighter")])
def test_pixels_far_from_those_of_training_warn(shift, word):
    image = (RAMP / 20 + max(shift, 0)).astype(np.uint8)
    with pytest.warns(MaskwrightWarning, match=f"{word} than those .*training had 5 to 240"):
        fit_range(image, card(percentiles=TRAINED))


@pytest.mark.parametrize(
    ("received", "channels", "words"),
    [
        (1, 3, "gray is taken for red, green and blue"),
        (3, 1, "colors are turned into gray"),
        (4, 3, "the last channel is dropped as alpha"),
        (2, 3, "dropped as alpha and gray is taken .*"),
    ],
)
def test_converted_channels_are_said(received, channels, words):
    image = np.arange(6 * 6 * received, dtype=np.uint8).reshape(6, 6, received)
    message = f"is {received}, and the model was trained on {channels}: .*{words}, also"
    with pytest.warns(MaskwrightWarning, match=message):
        fit_range(image, card(channels=channels))


@pytest.mark.parametrize(("received", "channels"), [(3, 3), (3, 1), (5, 5)])
def test_channels_that_lose_nothing_pass(received, channels):
    gray = np.arange(36, dtype=np.uint8).reshape(6, 6, 1).repeat(received, axis=2)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fit_range(gray, card(channels=channels))


@pytest.mark.parametrize("size", [None, (8, 8)])
def test_large_images_are_looked_at_before_the_work(tmp_path, size):
    image, mask = tmp_path / "a.tif", tmp_path / "out" / "a.tif"
    model = Predictor(brightness, card(size, percentiles=TRAINED))
    write_image(image, (RAMP * 16).astype(np.uint16))
    with pytest.raises(DataError, match=r"pixels of uint16 .* --pixel-range LOW HIGH"):
        predict_large(model, image, mask)
    assert not mask.parent.exists()
    write_image(image, (RAMP / 20).astype(np.uint8))
    with pytest.warns(MaskwrightWarning, match="darker"):
        predict_large(model, image, mask)


def test_pixels_of_no_data_are_not_looked_at():
    pixels = np.zeros((100, 300, 1), np.uint16)
    pixels[:, 200:] = 7
    windows = Windows(100, 300, 1, "uint16", lambda t, b, x, y: pixels[t:b, x:y], nodata=0)
    sample = sampled_pixels(windows)
    assert sample.size > 0
    assert (sample == 7).all()


def test_scores_say_that_images_are_unlike_those_of_training(tmp_path):
    for number in range(2):
        write_image(tmp_path / "images" / f"{number}.png", (RAMP / 20).astype(np.uint8))
        write_image(tmp_path / "masks" / f"{number}.png", (RAMP[..., :1] > 100).astype(np.uint8))
    options = EvaluateOptions(split="train")
    dataset = open_dataset(tmp_path, val_share=0.0, test_share=0.0)
    model = Predictor(brightness, card(percentiles=TRAINED))
    with pytest.warns(MaskwrightWarning, match="darker"):
        evaluation = evaluate_masks(model, dataset, options)
    assert "darker" in {c.code: c.text for c in evaluation.warnings}["pixels"]


@pytest.mark.filterwarnings("ignore::maskwright.errors.MaskwrightWarning")
def test_the_server_warns_in_a_header(tmp_path):
    model = masks("cells", percentiles=TRAINED, channels=3)
    with TestClient(create_app(registry(model), hosts=None)) as client:
        for image, word in ((RAMP / 20, "darker"), (RAMP, "")):
            write_image(tmp_path / "a.png", image.astype(np.uint8))
            files = {"image": ("a.png", (tmp_path / "a.png").read_bytes())}
            response = client.post("/predict", files=files)
            assert response.status_code == 200
            assert ("darker" in response.headers.get("warning", "")) == bool(word)
        deep = {"image": ("a.tif", as_file((RAMP * 16).astype(np.uint16)))}
        assert client.post("/predict", files=deep).status_code == 422
        stated = client.post("/predict?pixel_range=0&pixel_range=4080", files=deep)
        assert (stated.status_code, stated.headers.get("warning")) == (200, None)


def test_a_pixel_range_has_two_ends():
    for span in ((3, 3), 5, (1, "a"), (0, math.inf), (0, 1e300), (0, 1e-300)):
        with pytest.raises(ConfigError, match="takes two finite values of pixels, low < high"):
            Predictor(brightness, card()).adjusted(pixel_range=span)


def test_runs_know_the_pixels_that_they_learned_from(tmp_path):
    rng = np.random.default_rng(0)
    for number in range(8):
        mask = np.zeros((16, 16, 1), np.uint8)
        mask[2 : 8 + number % 3, 3:12] = 255
        image = rng.integers(100, 200, (16, 16, 3), np.uint8)
        write_image(tmp_path / "data" / "images" / f"{number}.png", image)
        write_image(tmp_path / "data" / "masks" / f"{number}.png", mask)
    write_image(tmp_path / "deep" / "a.png", image.astype(np.uint16) * 16)
    settings = {"encoder": "plain", "encoder_widths": (4,), "size": 16, "previews": 0}
    run = maskwright.train(tmp_path / "data", tmp_path / "run", epochs=1, **settings)
    percentiles = maskwright.load(run.folder).card.percentiles
    assert 100 <= percentiles[0] < percentiles[2] < percentiles[4] < 200
    out = tmp_path / "out"
    refused = maskwright.predict(run.folder, tmp_path / "deep", out, overlays=False)
    assert "--pixel-range" in refused.failed[0].reason
    stated = {"pixel_range": (0.0, 4080.0), "overlays": False}
    assert maskwright.predict(run.folder, tmp_path / "deep", out, **stated).failed == ()
    assert read_mask(out / "a.png").values.shape == (16, 16)
