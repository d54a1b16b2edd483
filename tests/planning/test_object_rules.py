from dataclasses import replace

import pytest

from maskwright.planning.rules.objects import object_settings, size_warnings
from maskwright.planning.stats.object_stats import ObjectStats

PEOPLE = ObjectStats(
    images=100,
    objects=400,
    median_per_image=4,
    max_per_image=9,
    sides=(30, 60, 100, 200, 300),
    longest=500,
    longest_share=0.9,
    ratios=(1.5, 2.5, 3.5),
    overlap_share=0.3,
    image_side=640,
    largest_image=1024,
)
NUCLEI = replace(
    PEOPLE,
    median_per_image=40,
    sides=(8, 12, 16, 20, 30),
    longest=60,
    ratios=(0.7, 1, 1.4),
    overlap_share=0.02,
    image_side=512,
)


def chosen(stats, minutes=12.0, **given):
    return {c.key: c.value for c in object_settings(stats, minutes, given)}


def test_large_objects_are_learned_whole_and_small_ones_in_crops():
    people = chosen(PEOPLE)
    # 30 px at 640 px are 16 px at 341.
    assert people["objects"] == "condinst"
    assert people["longer_side"] == 352
    assert chosen(PEOPLE, minutes=45)["longer_side"] == 512
    nuclei = chosen(NUCLEI)
    assert (nuclei["objects"], nuclei["crop"]) == ("centers", (256, 256))
    # Small in large images, for whatever method: crops hold the largest with a margin.
    wide = replace(NUCLEI, longest=300, image_side=2000)
    assert chosen(wide, objects="condinst")["crop"] == (384, 384)
    # No crop is larger than all images.
    (crop,) = [
        c for c in object_settings(replace(NUCLEI, largest_image=150), 12, {}) if c.key == "crop"
    ]
    assert (crop.value, "whole images, of up to 150 px" in crop.reason) == ((160, 160), True)
    # Where some are large, no crop cuts them.
    mixed = replace(wide, longest=900)
    assert chosen(mixed, objects="condinst")["longer_side"] == 640
    (crop,) = [c for c in object_settings(mixed, 12, {}) if c.key == "crop"]
    assert (crop.value, "cut the largest, 900 px" in crop.reason) == ((512, 512), True)


def warnings(anchors=None, stats=PEOPLE, **settings):
    return size_warnings(stats, {"objects": "mask_rcnn", **settings}, anchors)


def test_crops_and_anchors_too_small_for_the_objects_are_told():
    assert warnings([32, 64, 128, 256]) == []
    assert "crops of 256 px" in warnings(crop=(256, 320))[0]
    assert "anchor of 128 px" in warnings([16, 32, 64, 128])[0]
    assert warnings([16, 32, 64, 128], longer_side=320, crop=None) == []
    # Images of 640 px become 256 px wide, the largest objects 500 * 256 / 640 px long.
    assert warnings([16, 32, 64, 128], size=(128, 256), crop=(192, 192)) == [
        text.replace("500", "200") for text in warnings(crop=(192, 192))
    ]


def test_objects_too_small_for_a_detector_are_told():
    tiny = replace(PEOPLE, sides=(5, 6, 6, 7, 8))
    assert warnings(stats=tiny) == []
    assert "2.5 px across after resizing" in warnings(stats=tiny, longer_side=320)[0]
    assert warnings(stats=tiny, longer_side=320, objects="centers") == []


def test_what_is_stated_stays_and_the_rest_follows():
    stated = chosen(PEOPLE, objects="mask_rcnn", longer_side=512, learning_rate=1e-4)
    assert "longer_side" not in stated
    assert "learning_rate" not in stated
    sizes = stated["detector"]["anchor_sizes"]
    assert sizes[0] == pytest.approx(30 * 512 / 640, abs=1)
    assert sizes[-1] == pytest.approx(300 * 512 / 640, abs=1)
    assert stated["detector"]["ratios"] == [1.5, 2.5, 3.5]
    assert stated["batch_size"] == 2
    # In images that are resized to 256 px, and beside other parameters of the detector.
    given = {"objects": "mask_rcnn", "size": (128, 256), "detector": {"proposals": 100}}
    detector = chosen(PEOPLE, **given)["detector"]
    assert detector["anchor_sizes"][0] == pytest.approx(30 * 256 / 640, abs=1)
    assert detector["proposals"] == 100
    for fixed in ({"profile": "paper"}, {"anchor_sizes": [8, 16, 32, 64]}):
        assert "detector" not in chosen(PEOPLE, **{**given, "detector": fixed})
    assert "detector" not in chosen(PEOPLE, **given, weights="runs/first")
