from dataclasses import replace

import pytest

from maskwright.planning.hardware import Machine
from maskwright.planning.plan_builder import EncoderWeights
from maskwright.planning.rules.regions import plan_regions, region_settings
from maskwright.planning.stats.region_stats import RegionStats

LESIONS = RegionStats(
    unit="image", kind="components", names=("benign", "malignant"), units=(60, 42), cases=79,
    images=102, regions=107, most_per_unit=2, sides=(60.0, 200.0, 300.0, 460.0), image_share=0.3,
    reasons=("All regions of an image are decided on together.",),
)  # fmt: skip


def settings(stats, minutes=5, given=None, pretrained=True):
    return {c.key: c.value for c in region_settings(stats, minutes, given or {}, pretrained)}


@pytest.mark.parametrize(
    ("changes", "minutes", "expected"),
    [
        # 300 px and a fifth to each side are 420, more than the minutes allow.
        ({}, 5, {"context": 0.2, "size": 128}),
        ({}, 100, {"context": 0.2, "size": 224}),
        ({"sides": (20, 60, 70, 90)}, 5, {"context": 0.2, "size": 128}),  # 98, rounded up
        ({"sides": (20, 30, 40, 90)}, 5, {"context": 0.2, "size": 96}),  # for stride 32
        ({"sides": (4, 10, 12, 20)}, 5, {"context": 0.5, "size": 96}),
        ({"image_share": 0.9}, 5, {"context": None, "size": 128}),
    ],
)
def test_crops_follow_the_sizes_of_regions_and_the_minutes(changes, minutes, expected):
    chosen = settings(replace(LESIONS, **changes), minutes)
    assert chosen.items() >= expected.items()
    assert (chosen["batch_size"], chosen["max_regions"]) == (16, 4)


def test_few_cases_are_decided_by_measures_alone_unless_pixels_are_asked_for():
    few = replace(LESIONS, units=(30, 9))
    assert settings(few) == {"pixels": False, "batch_size": 8, "max_regions": 4}
    assert "pixels" not in settings(few, given={"size": 64})
    assert settings(few, given={"pixels": True})["size"] == 128
    assert settings(replace(few, unit="region"), given={"pixels": False}) == {"batch_size": 8}


def test_a_plan_of_regions_has_a_reason_for_each_setting():
    machine, weights = Machine(2, 8000.0), EncoderWeights("imagenet", "Of Keras.")
    plan = plan_regions(LESIONS, 5.0, {"size": 64}, weights, machine, "lesions")
    assert plan.settings.items() >= {"unit": "image", "positive": "malignant", "size": 64}.items()
    assert plan.settings["encoder"] == "mobilenet_v2"
    assert all(choice.reason for choice in plan.choices)
    assert "102 images to learn from, 42 malignant and 60 benign, in 79 cases" in plan.header[1]
    nothing = EncoderWeights(None, "None here.")
    scratch = plan_regions(LESIONS, 5.0, {"epochs": 4}, nothing, machine, "lesions")
    assert (
        scratch.settings.items() >= {"encoder": "plain", "encoder_widths": (16, 32, 64, 96)}.items()
    )
    assert ("minutes" in scratch.settings, "4 epochs on" in scratch.header[0]) == (False, True)
    resnet = plan_regions(LESIONS, 5.0, {"encoder": "resnet18"}, nothing, machine, "lesions")
    assert "encoder_widths" not in resnet.settings
    alone = plan_regions(LESIONS, 5.0, {"pixels": False}, weights, machine, "lesions").settings
    assert not {"encoder", "size", "context"} & alone.keys()
