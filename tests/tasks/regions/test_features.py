import math
from pathlib import Path

import cv2
import numpy as np
import pytest
from skimage.measure import perimeter_crofton, regionprops

from maskwright.errors import ConfigError, DataError
from maskwright.tasks.regions.extraction.feature_vector import VECTOR_NAMES, vector
from maskwright.tasks.regions.extraction.features import (
    INTENSITY_MEASURES,
    MEASURES,
    SHAPE_MEASURES,
    measure,
)
from maskwright.tasks.regions.extraction.intensities import full_scale_of


def grid(*rows):
    return np.array([[c == "#" for c in row] for row in rows])


def drawn_shapes():
    rng = np.random.default_rng(0)
    ellipse, star, pieces = (np.zeros((120, 150), np.uint8) for _ in range(3))
    cv2.ellipse(ellipse, (70, 60), (55, 20), 30, 0, 360, 1, -1)
    cv2.fillPoly(star, [rng.integers(5, 115, (9, 2)).astype(np.int32)], 1)
    cv2.circle(pieces, (30, 30), 20, 1, 5)
    cv2.rectangle(pieces, (70, 80), (140, 95), 1, -1)
    noise = rng.random((40, 30)) < 0.3
    return {"ellipse": ellipse > 0, "star": star > 0, "pieces": pieces > 0, "noise": noise}


SHAPES = drawn_shapes()


@pytest.mark.parametrize("name", SHAPES)
def test_shape_is_that_of_scikit_image(name):
    mask = SHAPES[name]
    found = measure(mask)
    (theirs,) = regionprops(mask.astype(np.uint8))
    expected = {
        "area_px": theirs.area,
        "equivalent_diameter_px": theirs.equivalent_diameter_area,
        "major_axis_px": theirs.axis_major_length,
        "minor_axis_px": theirs.axis_minor_length,
        "eccentricity": theirs.eccentricity,
        "orientation_deg": math.degrees(theirs.orientation),
        "solidity": theirs.solidity,
        "extent": theirs.extent,
        "centroid_row": theirs.centroid[0],
        "centroid_column": theirs.centroid[1],
        "perimeter_px": perimeter_crofton(mask),
    }
    assert {key: found[key] for key in expected} == pytest.approx(expected, rel=1e-9)
    assert list(found) == [item.name for item in SHAPE_MEASURES]


def test_a_disc_is_round_smooth_and_as_long_around_as_it_should_be():
    rows, columns = np.mgrid[:101, :101] - 50
    disc = measure(rows**2 + columns**2 <= 40**2)
    assert disc["perimeter_px"] == pytest.approx(2 * math.pi * 40, rel=0.02)
    for name in ("circularity", "smoothness", "convexity", "solidity"):
        assert disc[name] > 0.97
    # Twice as wide as high: no longer round, but as smooth.
    flat = measure(rows**2 * 4 + columns**2 <= 40**2)
    assert flat["circularity"] < 0.87
    assert flat["smoothness"] > 0.97
    assert flat["aspect"] == pytest.approx(41 / 81)
    # Teeth along the outline make it rough.
    teeth = np.hypot(rows, columns) <= 34 + 4 * np.sin(20 * np.arctan2(rows, columns))
    assert measure(teeth)["smoothness"] < 0.75


def test_holes_border_and_share():
    ring = measure(grid("......", ".####.", ".#.##.", ".##.#.", ".####.", "......"))
    # Holes connect at sides only, so that these two are apart. 14 of 36 pixels, 14 of a box of 16.
    assert (ring["holes"], ring["touches_border"]) == (2, 0)
    assert (ring["share"], ring["extent"]) == (14 / 36, 14 / 16)
    open_to_the_border = measure(grid("#.#", "###"))
    assert (open_to_the_border["holes"], open_to_the_border["touches_border"]) == (0, 1)


def test_one_pixel_and_a_full_image_have_finite_measures():
    pixel = np.zeros((9, 9), bool)
    pixel[4, 4] = True
    for mask, level in ((pixel, 0), (np.ones((4, 5), bool), 0), (np.ones((1, 1), bool), 7)):
        found = measure(mask, np.full((*mask.shape, 3), level, np.uint8), (0.5, 0.5))
        assert list(found) == [item.name for item in MEASURES]
        assert np.isfinite(list(found.values())).all()
        assert np.isfinite(vector(found)).all()
        assert found["contrast"] == 0


def test_intensities_are_worked_out_inside_and_in_a_ring_around():
    image = np.zeros((20, 20), np.uint8)
    image[5:15, 5:15] = 50  # all of a ring of 3 px around the middle, whose corners are cut
    image[8:12, 8:12] = np.arange(100, 116).reshape(4, 4)
    mask = np.zeros((20, 20), bool)
    mask[8:12, 8:12] = True
    found = measure(mask, image)
    inner = np.arange(100, 116)
    assert found["mean"] == 107.5
    assert found["std"] == pytest.approx(inner.std())
    assert (found["minimum"], found["maximum"]) == (100, 115)
    assert found["percentile_10"] == pytest.approx(np.percentile(inner, 10))
    assert found["percentile_90"] == pytest.approx(np.percentile(inner, 90))
    assert (found["ring_mean"], found["contrast"]) == (50, 57.5 / 50)
    assert found["texture"] == 0  # a plane does not bend, and the outline does not count


def test_a_sharp_outline_is_sharper_than_a_blurred_one():
    mask = SHAPES["ellipse"]
    image = np.where(mask, 200, 60).astype(np.uint8)
    image += np.random.default_rng(0).integers(0, 20, image.shape, dtype=np.uint8)
    blurred = cv2.GaussianBlur(image, (0, 0), 4)
    assert measure(mask, image)["sharpness"] > 1.5 * measure(mask, blurred)["sharpness"]


def test_channels_become_luminance_and_undefined_pixels_zero():
    mask = np.ones((1, 2), bool)
    rgb = np.array([[[10, 20, 30], [10, 20, 30]]], np.uint8)
    assert measure(mask, rgb)["mean"] == pytest.approx(0.299 * 10 + 0.587 * 20 + 0.114 * 30)
    five = np.array([[[1, 2, 3, 4, 5], [1, 2, 3, 4, 5]]], np.uint16)
    assert measure(mask, five)["mean"] == 3
    assert measure(mask, np.array([[4.0, np.nan]], np.float32))["mean"] == 2


def test_full_scale_is_of_the_type_or_the_largest_magnitude():
    assert full_scale_of(np.zeros((2, 2), np.uint8)) == 255
    assert full_scale_of(np.zeros((2, 2), np.uint16)) == 65535
    assert full_scale_of(np.array([[-1000.0, 400.0, np.inf]])) == 1000
    assert full_scale_of(np.zeros((2, 2), np.float32)) == 1
    # A vector is of shares, so that the depth of the file does not matter.
    image = np.random.default_rng(0).integers(0, 256, (120, 150), dtype=np.uint8)
    deep = image.astype(np.uint16) * 257
    vectors = [vector(measure(SHAPES["star"], pixels)) for pixels in (image, deep)]
    np.testing.assert_allclose(*vectors, rtol=1e-5, atol=1e-6)


def test_millimeters_follow_the_spacing_of_rows_and_columns():
    # 4 rows of 3 mm by 12 columns of 1 mm: a square of 12 mm.
    mask = np.zeros((10, 20), bool)
    mask[2:6, 3:15] = True
    found = measure(mask, spacing_mm=(3.0, 1.0))
    assert found["area_mm2"] == 144
    assert found["equivalent_diameter_mm"] == pytest.approx(math.sqrt(4 * 144 / math.pi))
    # Points on a grid: the variance of n places is (n^2 - 1) / 12.
    axes = sorted((4 * 3 * math.sqrt(15 / 12), 4 * math.sqrt(143 / 12)))
    assert [found["minor_axis_mm"], found["major_axis_mm"]] == pytest.approx(axes)
    # Every other row of a disc of 80 mm: a line of it is 2 mm high.
    rows, columns = np.mgrid[:101, :101] - 50
    flat = (rows**2 + columns**2 <= 40**2)[::2]
    around = measure(flat, spacing_mm=(2.0, 1.0))["perimeter_mm"]
    assert around == pytest.approx(math.pi * 80, rel=0.03)
    even = measure(SHAPES["star"], spacing_mm=(0.5, 0.5))
    for name in ("perimeter", "equivalent_diameter", "major_axis", "minor_axis"):
        assert even[f"{name}_mm"] == pytest.approx(even[f"{name}_px"] / 2)


def test_vector_tells_size_and_shape_but_not_place_and_direction():
    mask = np.zeros((80, 80), bool)
    mask[10:30, 10:40] = SHAPES["ellipse"][45:65, 50:80]
    image = np.random.default_rng(0).integers(0, 256, (80, 80), dtype=np.uint8)
    found = vector(measure(mask, image))
    assert found.dtype == np.float32
    assert found.shape == (len(VECTOR_NAMES),)
    turned = vector(measure(mask[::-1, ::-1], image[::-1, ::-1]))
    np.testing.assert_allclose(found, turned, rtol=1e-5, atol=1e-6)
    without = vector(measure(mask))
    first = VECTOR_NAMES.index("mean")
    np.testing.assert_array_equal(without[:first], found[:first])
    assert not without[first:].any()
    assert {item.name for item in INTENSITY_MEASURES}.isdisjoint(measure(mask))


def test_what_cannot_be_measured_is_said():
    with pytest.raises(DataError, match="skip empty masks"):
        measure(np.zeros((3, 3), bool))
    with pytest.raises(DataError, match="align them first"):
        measure(np.ones((3, 3), bool), np.zeros((3, 4)))
    with pytest.raises(ConfigError, match="two positive numbers of mm"):
        measure(np.ones((3, 3), bool), spacing_mm=(1.0, 0.0))


def test_the_docs_describe_every_measure_as_the_table_does():
    docs = (Path(__file__).parents[3] / "docs" / "regions.md").read_text(encoding="utf-8")
    for item in MEASURES:
        assert f"| `{item.name}` | {item.unit} | {item.description} |" in docs
