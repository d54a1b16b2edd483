import numpy as np
import pytest

from maskwright.errors import ConfigError, DataError, ModelError
from maskwright.inference.predictor import Predictor, most_probable
from maskwright.labels import Labels
from maskwright.model_card import SemanticCard

TWO = ("background", "cell")
THREE = ("background", "cell", "nucleus")


def card(names=TWO, **changes):
    values = {
        "labels": Labels.create(names),
        "channels": 1,
        "dtype": "uint8",
        "size": None,
        "tile": 64,
        "threshold": None,
        "symmetries": ("horizontal_flip", "vertical_flip"),
        "model_sha256": "",
        "version": "",
        "data": "",
    }
    return SemanticCard(**{**values, **changes})


def brightness(images):
    """One logit: positive where the first channel is above 100."""
    return images[..., :1] - 100


def as_image(*rows):
    return np.array(rows, np.uint8)[..., None]


def test_one_logit_is_that_of_the_foreground_and_temperature_divides_it():
    image = as_image([99, 100, 101, 102])
    prediction = Predictor(brightness, card())(image, probabilities=True)
    assert prediction.labels.tolist() == [[0, 0, 1, 1]]
    assert prediction.labels.dtype == np.int32
    logistic = 1 / (1 + np.exp(-np.array([-1.0, 0.0, 1.0, 2.0])))
    np.testing.assert_allclose(prediction.probabilities[0, :, 1], logistic, rtol=1e-6)
    np.testing.assert_allclose(prediction.probabilities.sum(axis=-1), 1, rtol=1e-6)
    warm = Predictor(brightness, card(temperature=2.0))(image, probabilities=True)
    logistic = 1 / (1 + np.exp(-np.array([-0.5, 0.0, 0.5, 1.0])))
    np.testing.assert_allclose(warm.probabilities[0, :, 1], logistic, rtol=1e-6)


def test_probabilities_are_resized_before_labels_are_chosen():
    def logits(images):
        # Probabilities of the cell: 0.9, 0.9, 0.2, 0.2 by column.
        assert images.shape == (1, 2, 4, 1)
        return np.broadcast_to(np.log([9, 9, 0.25, 0.25])[:, None], images.shape)

    image = np.zeros((4, 8, 1), np.uint8)
    prediction = Predictor(logits, card(size=(2, 4)))(image, probabilities=True)
    # Centers of the eight columns lie at -0.25, 0.25, ... 3.25 of the four.
    expected = [0.9, 0.9, 0.9, 0.725, 0.375, 0.2, 0.2, 0.2]
    np.testing.assert_allclose(prediction.probabilities[0, :, 1], expected, rtol=1e-5)
    assert prediction.labels.tolist() == [[1, 1, 1, 1, 0, 0, 0, 0]] * 4
    # Labels chosen at four columns and then enlarged would have given four ones again.
    labels = Predictor(logits, card(size=(2, 4)))(image, threshold=0.3).labels
    assert labels[0].tolist() == [1, 1, 1, 1, 1, 0, 0, 0]


def test_thresholds():
    two = np.array([[[0.6, 0.4], [0.2, 0.8]]])
    assert most_probable(two, None, 0).tolist() == [[0, 1]]
    assert most_probable(two, 0.4, 0).tolist() == [[1, 1]]
    assert most_probable(two, 0.4, 1).tolist() == [[0, 1]]  # background second: 0.6, 0.2 are cells
    three = np.array([[[0.3, 0.4, 0.3], [0.1, 0.2, 0.7]]])
    assert most_probable(three, None, 0).tolist() == [[1, 2]]
    assert most_probable(three, 0.5, 0).tolist() == [[0, 2]]
    with pytest.raises(ConfigError, match="threshold"):
        Predictor(brightness, card())(as_image([0]), threshold=1.5)


def test_flips_average_probabilities():
    def left_half(images):
        """Certain of a cell in the left upper quarter of whatever it sees."""
        logits = np.full((*images.shape[:3], 1), -50.0)
        logits[:, : images.shape[1] // 2, : images.shape[2] // 2] = 50
        return logits

    image = np.zeros((2, 4, 1), np.uint8)
    predictor = Predictor(left_half, card(size=(2, 4)))

    def cell(flips):
        return predictor(image, flips=flips, probabilities=True).probabilities[..., 1]

    np.testing.assert_allclose(cell(False), [[1, 1, 0, 0], [0, 0, 0, 0]], atol=1e-6)
    np.testing.assert_allclose(cell(True), [[0.5] * 4, [0] * 4], atol=1e-6)
    np.testing.assert_allclose(cell("all"), [[0.25] * 4] * 2, atol=1e-6)
    upright = Predictor(predictor.logits, card(symmetries=("horizontal_flip",)))
    upright(image, flips=True)
    with pytest.raises(ConfigError, match=r"without vertical flips.*flip_vertical=0\.5"):
        upright(image, flips="all")
    with pytest.raises(ConfigError, match="flips"):
        cell("vertical")


@pytest.mark.parametrize(
    ("pixel", "dtype", "channels", "trained_on", "expected"),
    [
        ([7], np.uint8, 3, "uint8", [7, 7, 7]),
        ([10, 20, 30], np.uint8, 1, "uint8", [0.299 * 10 + 0.587 * 20 + 0.114 * 30]),
        ([10, 20, 30, 255], np.uint8, 3, "uint8", [10, 20, 30]),
        ([7, 255], np.uint8, 1, "uint8", [7]),
        ([1, 2, 3, 4, 5], np.uint8, 5, "uint8", [1, 2, 3, 4, 5]),
        ([65535], np.uint16, 1, "uint8", [255]),
        ([255], np.uint8, 1, "uint16", [65535]),
        ([0.25], np.float64, 1, "uint8", [0.25]),
    ],
)
def test_pixels_become_what_the_model_takes(pixel, dtype, channels, trained_on, expected):
    seen = []

    def record(images):
        seen.append(images[0, 0, 0])
        return images[..., :1]

    predictor = Predictor(record, card(channels=channels, dtype=trained_on))
    predictor(np.array([[pixel]], dtype))
    np.testing.assert_allclose(seen[0], expected, rtol=1e-6)


@pytest.mark.parametrize("size", [None, (2, 2)])
def test_images_that_do_not_suit_the_model_are_refused(size):
    predictor = Predictor(brightness, card(channels=3, size=size))
    for image, reason in (
        (np.zeros((4, 4, 5), np.uint8), "channels"),
        (np.zeros((4, 4, 3), np.int64), "int64"),
        (np.zeros((4, 4), np.uint8), "shape"),
        (np.full((4, 4, 3), np.nan, np.float32), "NaN"),
    ):
        with pytest.raises(DataError, match=reason):
            predictor(image)
    with pytest.raises(ModelError, match="do not match"):
        Predictor(lambda images: images, card(THREE))(as_image([1]))


def test_cleaning_happens_at_the_size_of_the_original():
    image = np.zeros((8, 8, 1), np.uint8)
    image[1:3, 1:3] = 200  # 4 px
    image[4:, 4:] = 200  # 16 px, of which one is a hole
    image[6, 6] = 0
    predictor = Predictor(brightness, card()).adjusted(min_area_px=5, fill_holes_px=1)
    expected = np.zeros((8, 8))
    expected[4:, 4:] = 1
    np.testing.assert_array_equal(predictor(image).labels, expected)
    untouched = predictor.adjusted(min_area_px=0, fill_holes_px=0, threshold=None)
    np.testing.assert_array_equal(untouched(image).labels, image[..., 0] > 100)


def test_tiles_are_refused_where_the_model_resizes():
    with pytest.raises(ConfigError, match="8x9"):
        Predictor(brightness, card(size=(8, 9))).adjusted(tile=64)


def test_large_image_in_tiles_equals_the_whole():
    image = np.random.default_rng(0).integers(0, 256, (150, 333, 1)).astype(np.uint8)
    tiled = Predictor(brightness, card())(image, flips="all", probabilities=True)
    whole = Predictor(brightness, card(tile=None))(image, probabilities=True)
    np.testing.assert_array_equal(tiled.labels, whole.labels)
    np.testing.assert_allclose(tiled.probabilities, whole.probabilities, atol=1e-6)
