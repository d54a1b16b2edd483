"""Bags of regions from drawn squares: their rows, and samples that cannot be used."""

from dataclasses import replace

import numpy as np
import pytest

from drawing_squares import SPEC, squares, write_squares
from maskwright.errors import DataError
from maskwright.imageio import write_image
from maskwright.tasks.regions.extraction.extract import extract
from maskwright.tasks.regions.learning.build_bags import BagOptions, build_bags
from maskwright.tasks.regions.learning.labeling import find_labeling


@pytest.fixture
def dataset(tmp_path):
    return write_squares(tmp_path)


def build(dataset, spec=SPEC, unit="image", **options):
    labeling = find_labeling(dataset, unit=unit)
    return build_bags(dataset, dataset.samples, labeling, spec, BagOptions(**options))


def test_what_is_decided_on_is_a_region_an_image_or_a_case(dataset):
    by_region, by_image, by_case = (
        build(dataset, unit=unit) for unit in ("region", "image", "case")
    )
    names = ("i0#1", "i0#2", "i1#1", "i1#2", "i2#1", "i2#2")
    assert by_region.names == by_image.names == by_case.names == names
    assert tuple(bag.id for bag in by_region.bags) == names
    assert by_region.labels.tolist() == [1, 1, 1, 1, 0, 0]  # "ill" is positive
    assert [bag.regions for bag in by_image.bags] == [(0, 1), (2, 3), (4, 5)]
    assert [bag.weight for bag in by_image.bags] == [1, 3, 1]
    first, second = by_case.bags
    assert (first.id, first.images, first.regions) == ("a", ("i0", "i1"), (0, 1, 2, 3))
    assert (first.label, first.weight) == (1, 2)  # the mean of 1 and 3
    assert (second.id, second.case, second.label, len(by_case)) == ("b", "b", 0, 2)


def test_crops_of_true_masks_are_as_extracted(dataset):
    arrays = build(dataset)
    assert (arrays.crops.shape, arrays.crops.dtype) == ((6, 8, 8, 3), np.uint8)
    assert arrays.masks.all()  # squares fill their boxes
    assert np.unique(arrays.crops[2:4]).tolist() == [40]
    assert arrays.rows == ((0,), (1,), (2,), (3,), (4,), (5,))
    assert arrays.value_range == (0, 255)
    assert len(build(dataset, replace(SPEC, kind="whole"), "region").names) == 3
    with pytest.raises(DataError, match=r"holds no region to decide on; the first reason: .*i0"):
        build(dataset, replace(SPEC, min_area_px=65), skip_unreadable=True)


def test_perturbed_masks_are_rows_beside_the_true_one(dataset):
    spec = replace(SPEC, size=32, context=0.5)
    plain, perturbed = build(dataset, spec), build(dataset, spec, strength=0.2, variants=2)
    again = build(dataset, spec, strength=0.2, variants=2)
    assert len(perturbed.crops) == 6 * 3
    for region, rows in enumerate(perturbed.rows):
        np.testing.assert_array_equal(perturbed.masks[rows[0]], plain.masks[region])
        # The true mask is drawn as often as both others together.
        assert sorted(rows) == [rows[0]] * 2 + [rows[0] + 1, rows[0] + 2]
    assert (perturbed.masks[1] != perturbed.masks[0]).any()
    assert (perturbed.vectors[1] != perturbed.vectors[0]).any()
    assert perturbed.fingerprint() == again.fingerprint() != plain.fingerprint()
    other = build(dataset, spec, strength=0.2, variants=2, seed=1)
    assert other.fingerprint() != perturbed.fingerprint()


def test_predicted_regions_are_rows_of_the_true_ones_that_they_match(dataset):
    arrays = build(dataset, unit="region", predict=predict)
    assert arrays.rows[:2] == ((0, 1), (2,))
    assert arrays.masks[0].all()
    assert arrays.bags[0].predicted_regions == ()


def predict(image, image_id):
    """One row off the upper square, and disjoint from the lower one."""
    mask = squares((3, 2, 11, 10), (20, 0, 24, 4))[..., 0] > 0
    return extract(image, mask, SPEC, image_id=image_id)


def test_a_bag_holds_all_predicted_regions_beside_the_true_ones(dataset):
    first, _, third = build(dataset, predict=predict).bags
    assert (first.regions, first.predicted_regions) == ((0, 1), (2, 3))
    assert (third.regions, third.predicted_regions) == ((8, 9), (10, 11))
    case, _ = build(dataset, unit="case", predict=predict).bags
    assert (case.regions, case.predicted_regions) == ((0, 1, 4, 5), (2, 3, 6, 7))
    blind = build(dataset, predict=lambda image, image_id: [])
    assert [bag.predicted_regions for bag in blind.bags] == [()] * 3


def test_above_a_limit_crops_lie_on_disk_and_are_the_same(dataset):
    options = {"strength": 0.1, "variants": 2}
    held, spilled = build(dataset, **options), build(dataset, **options, memory_limit_mb=1e-4)
    assert isinstance(spilled.crops, np.memmap)
    assert not isinstance(held.crops, np.memmap)
    for name in ("crops", "masks", "vectors"):
        np.testing.assert_array_equal(getattr(held, name), getattr(spilled, name))
    assert held.fingerprint() == spilled.fingerprint()


def test_what_cannot_be_read_is_left_out_or_stops(dataset):
    dataset.samples[0].image.write_text("this is text")
    with pytest.raises(DataError, match=r"i0\.png"):
        build(dataset)
    arrays = build(dataset, skip_unreadable=True)
    assert [bag.id for bag in arrays.bags] == ["i1", "i2"]
    assert len(arrays.skipped) == 1
    assert "i0.png" in arrays.skipped[0]
    for sample in dataset.samples:
        sample.image.write_text("this is text")
    with pytest.raises(DataError, match=r"no region to decide on; the first reason: .*i0\.png"):
        build(dataset, skip_unreadable=True)


def test_images_without_a_region_and_of_labels_left_out(dataset):
    write_image(dataset.samples[1].masks[0], squares())
    arrays = build(dataset)
    assert [bag.id for bag in arrays.bags] == ["i0", "i2"]
    assert "i1.png has no region" in arrays.skipped[0]
    labeling = find_labeling(dataset, unit="image")
    ill = replace(labeling, targets={"ill": 1, "well": None})
    dataset.samples[2].image.write_text("this is text")  # it is not even read
    assert [bag.id for bag in build_bags(dataset, dataset.samples, ill, SPEC).bags] == ["i0"]


def test_a_region_without_a_label_stops_whatever_may_be_skipped(dataset):
    labeling = replace(find_labeling(dataset, unit="image"), targets={"ill": 1})
    with pytest.raises(DataError, match=r"i2\.png has the label 'well'; expected one of ill"):
        build_bags(dataset, dataset.samples, labeling, SPEC, BagOptions(skip_unreadable=True))


def test_a_full_mask_holds_the_region_in_its_image():
    mask = squares((3, 2, 11, 10))[..., 0] > 0
    (region,) = extract(np.zeros(mask.shape), mask)
    np.testing.assert_array_equal(region.full_mask(mask.shape), mask)
