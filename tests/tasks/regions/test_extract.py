import numpy as np
import pytest

from maskwright.errors import ConfigError, DataError
from maskwright.tasks.regions.extraction.crops import CropSpec
from maskwright.tasks.regions.extraction.extract import extract
from maskwright.tasks.regions.extraction.features import MEASURES, measure


def grid(*rows, dtype=np.uint8):
    return np.array([[int(c) for c in row] for row in rows], dtype)


def blank(mask, channels=3, dtype=np.uint8):
    return np.zeros((*mask.shape, channels), dtype)


def test_components_of_every_class_top_left_first():
    mask = grid(
        "0000220",
        "1000022",
        "0100000",
        "0220001",
    )
    found = extract(blank(mask), mask, image_id="slide")
    # Pixels of class 1 touch at a corner; those of class 2 below touch class 1, but are their own.
    assert [(r.box, r.label, r.area_px) for r in found] == [
        ((0, 4, 2, 7), 2, 4),
        ((1, 0, 3, 2), 1, 2),
        ((3, 1, 4, 3), 2, 2),
        ((3, 6, 4, 7), 1, 1),
    ]
    assert [(r.name, r.value) for r in found] == [(f"slide#{n}", n) for n in (1, 2, 3, 4)]
    assert found[1].mask.tolist() == [[True, False], [False, True]]
    assert all(r.touches_border for r in found)
    assert all(r.crop is None and r.crop_mask is None for r in found)


def test_instances_are_values_in_their_order_connected_or_not():
    for high in (300, 70_000):  # beyond 16 bits values are sorted first
        mask = grid("7000", "0002", "0700", dtype=np.int32)
        mask[1, 3] = high
        found = extract(blank(mask), mask, CropSpec("instances"))
        assert [(r.value, r.number, r.label, r.box, r.area_px) for r in found] == [
            (7, 1, 1, (0, 0, 3, 2), 2),
            (high, 2, 1, (1, 3, 2, 4), 1),
        ]
    found = extract(blank(mask), mask, CropSpec("instances"), background=7)
    assert [(r.value, r.area_px) for r in found] == [(0, 9), (70_000, 1)]
    wide = grid("05", dtype=np.uint16) * 51  # 255 is a number like others here
    assert [r.value for r in extract(blank(wide), wide, CropSpec("instances"))] == [255]


def test_whole_is_one_region_named_after_its_most_frequent_class():
    mask = grid("1000", "0020", "0020")
    (found,) = extract(blank(mask), mask, CropSpec("whole"))
    assert (found.box, found.label, found.area_px) == ((0, 0, 3, 3), 2, 3)
    assert found.measures == measure(mask > 0, blank(mask))


def test_ignored_pixels_and_background_are_no_regions():
    mask = grid("0110")
    mask[0, 0] = 255
    for kind in ("components", "whole"):
        assert [r.box for r in extract(blank(mask), mask, CropSpec(kind))] == [(0, 1, 1, 3)]
        (other,) = extract(blank(mask), mask, CropSpec(kind), background=1)
        assert (other.box, other.label) == ((0, 3, 1, 4), 0)
        assert (
            sum(r.area_px for r in extract(blank(mask), mask, CropSpec(kind), background=None)) == 3
        )


@pytest.mark.parametrize("kind", ["components", "instances", "whole"])
def test_an_empty_mask_has_no_regions(kind):
    for mask in (np.zeros((5, 5), np.int32), np.zeros((5, 5), bool), np.zeros((0, 5), np.uint8)):
        assert extract(blank(mask), mask, CropSpec(kind=kind, size=8)) == []


def test_one_pixel_is_a_region_unless_regions_must_be_larger():
    mask = grid("00000", "01000", "00033")
    found = extract(blank(mask), mask, CropSpec(size=16, spacing_mm=(0.5, 2.0)))
    assert [(r.area_px, r.area_mm2) for r in found] == [(1, 1.0), (2, 2.0)]
    assert [r.touches_border for r in found] == [False, True]
    for region in found:
        assert tuple(region.measures) == tuple(item.name for item in MEASURES)
        assert np.isfinite(list(region.measures.values())).all()
        assert region.crop_mask.any()
    (only,) = extract(blank(mask), mask, CropSpec(min_area_px=2), measure=False)
    assert (only.number, only.area_px, only.measures) == (1, 2, {})
    assert extract(blank(mask), mask, CropSpec(kind="whole", min_area_px=4)) == []


def test_measures_are_those_of_the_region_in_the_whole_image():
    rng = np.random.default_rng(0)
    mask = np.zeros((60, 80), np.int32)
    mask[5:25, 10:40] = 1
    mask[20:50, 45:70] = 2
    mask[30:35, 50:60] = 0
    image = rng.integers(0, 65536, (60, 80, 4), dtype=np.uint16)
    found = extract(image, mask, CropSpec(spacing_mm=(0.1, 0.2)))
    for label, region in enumerate(found, start=1):
        assert region.measures == measure(mask == label, image, (0.1, 0.2))
    assert found[1].measures["holes"] == 1


def test_crops_come_in_the_type_of_the_image_with_the_mask_in_the_same_window():
    mask = grid("0000", "0110", "0110", "0000")
    for dtype, top in ((np.uint8, 255), (np.uint16, 65535), (np.float32, 2.0)):
        image = np.full((4, 4), 2, dtype)  # of floats, the largest magnitude counts as full
        (region,) = extract(image, mask, CropSpec(size=4, context=0.5, outside="channel"))
        assert region.crop.dtype == dtype
        np.testing.assert_array_equal(region.crop[..., 0], image)
        np.testing.assert_array_equal(region.crop[..., 1], np.where(mask, top, 0))
        np.testing.assert_array_equal(region.crop_mask, mask == 1)


def test_without_a_box_every_region_has_the_whole_image_and_its_own_mask():
    mask = grid("1010", "0000", "0000", "0001")
    image = np.arange(16, dtype=np.uint8).reshape(4, 4)
    found = extract(image, mask, CropSpec(size=4, context=None))
    for region in found:
        np.testing.assert_array_equal(region.crop[..., 0], image)
    np.testing.assert_array_equal(sum(r.crop_mask.astype(int) for r in found), mask)
    assert not np.shares_memory(found[0].crop, found[1].crop)


def test_a_smaller_mask_is_aligned_and_another_aspect_refused():
    mask = grid("10", "00")
    (found,) = extract(np.zeros((8, 8, 3), np.uint8), mask)
    assert (found.box, found.area_px) == ((0, 0, 4, 4), 16)
    with pytest.raises(DataError, match="size or aspect"):
        extract(np.zeros((8, 12, 3), np.uint8), mask)


def test_hundreds_of_regions_are_told_apart():
    mask = np.zeros((400, 400), np.uint8)
    for row in range(0, 400, 20):
        for column in range(0, 400, 20):
            mask[row + 2 : row + 12, column + 3 : column + 9] = 1 + (row + column) // 20 % 2
    found = extract(blank(mask), mask, CropSpec(size=8), measure=False)
    assert [r.box[:2] for r in found] == [
        (row + 2, column + 3) for row in range(0, 400, 20) for column in range(0, 400, 20)
    ]
    assert {r.area_px for r in found} == {60}


def test_what_a_mask_or_an_argument_cannot_be_is_said():
    image = np.zeros((2, 2, 3), np.uint8)
    many = np.array([[0, 300], [0, 0]], np.int32)
    for kind in ("components", "whole"):
        with pytest.raises(DataError, match="received values from 0 to 300"):
            extract(image, many, CropSpec(kind))
        with pytest.raises(DataError, match="whole numbers or booleans"):
            extract(image, many / 300, CropSpec(kind))
    with pytest.raises(DataError, match="received -1"):
        extract(image, many - 1, CropSpec("instances"))
    for wrong in ({"kind": "blobs"}, {"outside": "blurred"}, {"size": 0}, {"context": -1.0}):
        with pytest.raises(ConfigError):
            CropSpec(**wrong)
    with pytest.raises(ConfigError, match="mm"):
        CropSpec(spacing_mm=(1.0, -1.0))
