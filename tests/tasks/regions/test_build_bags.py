"""Regions cut out of drawn squares: their bags, their variants, and what cannot be used."""

from dataclasses import replace

import numpy as np
import pytest

from maskwright.data import open_dataset
from maskwright.errors import DataError
from maskwright.imageio import write_image
from maskwright.tasks.regions.extraction.extract import extract
from maskwright.tasks.regions.learning.bags import CropSpec
from maskwright.tasks.regions.learning.build_bags import (
    build_bags,
    overlap,
    segmenter_iou,
    speck_px,
    to_full_mask,
    true_regions,
)
from maskwright.tasks.regions.learning.targets import find_labeling

SIDE = 24
VIEW = CropSpec("components", 8, 0.0)


def squares(*boxes):
    mask = np.zeros((SIDE, SIDE, 1), np.uint8)
    for top, left, bottom, right in boxes:
        mask[top:bottom, left:right] = 255
    return mask


UPPER, LOWER = (2, 2, 10, 10), (12, 13, 20, 21)


@pytest.fixture
def dataset(tmp_path):
    """Three images of two squares; the first two are one case. All are to be trained on."""
    lines = ["image,mask,case,label,weight,split"]
    for number, rest in enumerate(("a,ill,1", "a,ill,3", "b,well,1")):
        pixels = np.full((SIDE, SIDE, 3), 40 * number, np.uint8)
        write_image(tmp_path / f"i{number}.png", pixels)
        write_image(tmp_path / f"m{number}.png", squares(UPPER, LOWER))
        lines.append(f"i{number}.png,m{number}.png,{rest},train")
    (tmp_path / "manifest.csv").write_text("\n".join(lines))
    return open_dataset(tmp_path)


def cut(dataset, view=VIEW, unit="image", **options):
    return build_bags(dataset, dataset.samples, find_labeling(dataset, unit=unit), view, **options)


def test_what_is_decided_on_is_a_region_an_image_or_a_case(dataset):
    by_region, by_image, by_case = (cut(dataset, unit=unit) for unit in ("region", "image", "case"))
    names = ("i0#1", "i0#2", "i1#1", "i1#2", "i2#1", "i2#2")
    assert by_region.names == by_image.names == by_case.names == names
    assert tuple(bag.id for bag in by_region.bags) == names
    assert by_region.labels.tolist() == [1, 1, 1, 1, 0, 0]  # what is ill is looked for
    assert [bag.regions for bag in by_image.bags] == [(0, 1), (2, 3), (4, 5)]
    assert [bag.weight for bag in by_image.bags] == [1, 3, 1]
    first, second = by_case.bags
    assert (first.id, first.images, first.regions) == ("a", ("i0", "i1"), (0, 1, 2, 3))
    assert (first.label, first.weight) == (1, 2)  # the mean of 1 and 3
    assert (second.id, second.case, second.label, len(by_case)) == ("b", "b", 0, 2)


def test_crops_of_true_masks_are_as_extracted(dataset):
    arrays = cut(dataset)
    assert (arrays.crops.shape, arrays.crops.dtype) == ((6, 8, 8, 3), np.uint8)
    assert arrays.masks.all()  # squares fill their boxes
    assert np.unique(arrays.crops[2:4]).tolist() == [40]
    assert arrays.rows == ((0,), (1,), (2,), (3,), (4,), (5,))
    assert arrays.value_range == (0, 255)
    assert len(cut(dataset, replace(VIEW, regions="whole"), "region").names) == 3
    with pytest.raises(DataError, match=r"holds no region to decide on; the first reason: .*i0"):
        cut(dataset, replace(VIEW, min_area_px=65), skip_unreadable=True)


def test_jittered_masks_are_rows_beside_the_true_one(dataset):
    view = replace(VIEW, size=32, context=0.5)
    plain, jittered = cut(dataset, view), cut(dataset, view, strength=0.2, variants=2)
    again = cut(dataset, view, strength=0.2, variants=2)
    assert len(jittered.crops) == 6 * 3
    for region, rows in enumerate(jittered.rows):
        np.testing.assert_array_equal(jittered.masks[rows[0]], plain.masks[region])
        # The true mask is drawn as often as both others together.
        assert sorted(rows) == [rows[0]] * 2 + [rows[0] + 1, rows[0] + 2]
    assert (jittered.masks[1] != jittered.masks[0]).any()
    assert (jittered.vectors[1] != jittered.vectors[0]).any()
    assert jittered.fingerprint() == again.fingerprint() != plain.fingerprint()
    other = cut(dataset, view, strength=0.2, variants=2, seed=1)
    assert other.fingerprint() != jittered.fingerprint()


def test_predicted_regions_stand_for_the_true_ones_that_they_meet(dataset):
    arrays = cut(dataset, unit="region", predict=predict)
    assert arrays.rows[:2] == ((0, 1), (2,))
    assert arrays.masks[0].all()
    assert arrays.bags[0].guesses == ()
    # 7 of 9 rows are common; the lower squares are missed and do not count.
    assert segmenter_iou(dataset, dataset.samples, VIEW, predict) is None  # three are too few
    dataset.samples[2].image.write_text("this is text")  # which does not count
    found = segmenter_iou(dataset, dataset.samples * 3, VIEW, predict)
    assert found == pytest.approx(7 / 9)


def predict(image, image_id):
    """One row off the upper square, and nowhere near the lower one."""
    return VIEW.cut(image, squares((3, 2, 11, 10), (20, 0, 24, 4))[..., 0] > 0, image_id)


def test_of_a_whole_bag_all_that_a_segmenter_finds_is_kept_beside_the_true_regions(dataset):
    first, _, third = cut(dataset, predict=predict).bags
    assert (first.regions, first.guesses) == ((0, 1), (2, 3))
    assert (third.regions, third.guesses) == ((8, 9), (10, 11))
    case, _ = cut(dataset, unit="case", predict=predict).bags
    assert (case.regions, case.guesses) == ((0, 1, 4, 5), (2, 3, 6, 7))
    blind = cut(dataset, predict=lambda image, image_id: [])
    assert [bag.guesses for bag in blind.bags] == [()] * 3


def test_a_predicted_mask_tells_no_objects_apart_and_has_no_specks():
    view = CropSpec("instances", 8, 0.0, min_guess_px=5)
    mask = np.array([[1, 1, 2, 2, 0, 3, 3], [1, 1, 2, 2, 0, 3, 3]])
    image = np.zeros((2, 7, 1), np.uint8)
    assert [r.area_px for r in view.cut(image, mask, "x")] == [4, 4, 4]
    found = view.cut(image, np.minimum(mask, 1), "x", guessed=True)
    assert [r.area_px for r in found] == [8]  # the piece of 4 px is a speck


def test_a_speck_is_smaller_than_a_quarter_of_the_true_regions(dataset):
    assert speck_px(dataset, VIEW) == 64 // 4
    dataset.samples[0].masks[0].write_text("this is text")
    assert speck_px(dataset, VIEW) == 16


def test_overlap_is_worked_out_in_the_common_part_of_the_boxes():
    image = np.zeros((SIDE, SIDE), np.uint8)
    corner = squares((0, 0, 4, 4))[..., 0] > 0
    corner[0, 0] = False
    (one,) = extract(image, corner)
    (other,) = extract(image, squares((2, 2, 6, 6))[..., 0] > 0)
    (away,) = extract(image, squares((4, 4, 6, 6))[..., 0] > 0)
    assert overlap(one, other) == overlap(other, one) == pytest.approx(4 / (15 + 16 - 4))
    assert overlap(one, one) == 1
    assert overlap(one, away) == 0
    np.testing.assert_array_equal(to_full_mask(one, (SIDE, SIDE)), corner)


def test_above_a_limit_crops_lie_on_disk_and_are_the_same(dataset):
    options = {"strength": 0.1, "variants": 2}
    held, spilled = cut(dataset, **options), cut(dataset, **options, memory_limit_mb=1e-4)
    assert isinstance(spilled.crops, np.memmap)
    assert not isinstance(held.crops, np.memmap)
    for name in ("crops", "masks", "vectors"):
        np.testing.assert_array_equal(getattr(held, name), getattr(spilled, name))
    assert held.fingerprint() == spilled.fingerprint()


def test_what_cannot_be_read_is_left_out_or_stops(dataset):
    dataset.samples[0].image.write_text("this is text")
    with pytest.raises(DataError, match=r"i0\.png"):
        cut(dataset)
    arrays = cut(dataset, skip_unreadable=True)
    assert [bag.id for bag in arrays.bags] == ["i1", "i2"]
    assert len(arrays.skipped) == 1
    assert "i0.png" in arrays.skipped[0]
    for sample in dataset.samples:
        sample.image.write_text("this is text")
    with pytest.raises(DataError, match=r"no region to decide on; the first reason: .*i0\.png"):
        cut(dataset, skip_unreadable=True)


def test_images_without_a_region_and_of_labels_left_out(dataset):
    write_image(dataset.samples[1].masks[0], squares())
    arrays = cut(dataset)
    assert [bag.id for bag in arrays.bags] == ["i0", "i2"]
    assert "i1.png has no region" in arrays.skipped[0]
    labeling = find_labeling(dataset, unit="image")
    ill = replace(labeling, answers={"ill": 1, "well": None})
    dataset.samples[2].image.write_text("this is text")  # it is not even read
    assert [bag.id for bag in build_bags(dataset, dataset.samples, ill, VIEW).bags] == ["i0"]


def test_a_region_without_a_label_stops_whatever_may_be_skipped(dataset):
    labeling = replace(find_labeling(dataset, unit="image"), answers={"ill": 1})
    with pytest.raises(DataError, match=r"i2\.png has the label 'well'; expected one of ill"):
        build_bags(dataset, dataset.samples, labeling, VIEW, skip_unreadable=True)


def test_a_mask_of_another_size_is_stretched_where_the_aspect_agrees(dataset):
    sample = dataset.samples[0]
    write_image(sample.masks[0], squares(UPPER, LOWER)[::2, ::2])
    assert [region.box for region in true_regions(dataset, sample, VIEW)[1]] == [
        (2, 2, 10, 10),
        # Every second pixel from 0 on: 12 to 18, and 14 to 20, each two wide.
        (12, 14, 20, 22),
    ]
    write_image(sample.masks[0], squares(UPPER)[:20])
    with pytest.raises(DataError, match=r"20 x 24 px .* for an image of 24 x 24 px"):
        true_regions(dataset, sample, VIEW)
