"""Rules of the plan, on statistics of typical data sets."""

from dataclasses import replace

import pytest
import yaml

from maskwright.config import TrainConfig, read_config
from maskwright.planning import (
    Asymmetry,
    ClassStats,
    DatasetStats,
    EncoderWeights,
    Machine,
    PlanBuilder,
    SizeLevel,
    Summary,
    Timing,
    at_size_level,
    candidates,
    next_size_level,
    plan,
)

MACHINE = Machine(cores=2, memory_mb=16_000)
ALWAYS, BY_CHANCE = Asymmetry(0.7, 0.0005), Asymmetry(0.05, 0.6)
BACKGROUND = ClassStats("background", share=0.85, images=100)
CELL = ClassStats(
    "cell",
    share=0.15,
    images=100,
    regions=900,
    max_regions=20,
    min_area_px=40,
    median_area_px=400,
    small_area_share=0.005,
    width_share=0.06,
    slenderness=2.0,
)
VESSEL = replace(CELL, name="vessel", width_share=4 / 584, slenderness=300.0, min_area_px=1)


def stats(*objects, size=(256, 256), train=100, **changed):
    """Statistics of images of one size without a preferred orientation."""
    height, width = size
    values = {
        "source": "drawn",
        "images": {"train": train, "val": 12, "test": 18},
        "cases": {"train": train, "val": 12, "test": 18},
        "height": Summary(height, height, height),
        "width": Summary(width, width, width),
        "modal_size": size,
        "channels": 3,
        "classes": (BACKGROUND, *(objects or (CELL,))),
        "images_read": train,
        "foreground_share": 0.15,
        "up_down": BY_CHANCE,
        "brightness_up_down": BY_CHANCE,
        "detail_up_down": BY_CHANCE,
    }
    return DatasetStats(**{**values, **changed})


def planned(data, weights="weights.h5", minutes=10, machine=MACHINE, **options):
    made = plan(PlanBuilder(data, machine, minutes, EncoderWeights(weights), **options))
    TrainConfig(**made.settings)  # has all these keys, with values of these kinds
    return made


def reason(made, key):
    return next(choice.reason for choice in made.choices if choice.key == key)


def test_cells_under_a_microscope():
    settings = planned(stats()).settings
    assert settings["size"] == (256, 256)
    assert settings["crop"] is None
    assert (settings["encoder"], settings["decoder"]) == ("mobilenet_v2", "light")
    assert settings["augmentation"] == {
        "strength": "medium",
        "flip_vertical": 0.5,
        "rotate_degrees": 180,
    }
    assert settings["loss"] == "ce+dice"
    assert settings["min_area_px"] == 20  # half of the smallest of many
    assert settings["fill_holes_px"] == 400  # none has a hole
    assert "keep_largest" not in settings


def test_street_scenes_are_neither_turned_over_nor_turned_far():
    made = planned(stats(up_down=ALWAYS))
    augmentation = made.settings["augmentation"]
    assert "flip_vertical" not in augmentation
    assert augmentation["rotate_degrees"] <= 10
    assert "70% of the height" in reason(made, "augmentation")


def test_detail_alone_tells_photographs():
    made = planned(stats(detail_up_down=Asymmetry(0.14, 0.0005)))
    assert "flip_vertical" not in made.settings["augmentation"]
    assert "detail by 0.14" in reason(made, "augmentation")


def test_sided_organs_are_not_mirrored():
    left = replace(CELL, name="left lung", left_right=Asymmetry(0.9, 0.001))
    made = planned(stats(left, up_down=ALWAYS))
    assert made.settings["augmentation"]["flip_horizontal"] == 0


def test_images_too_few_to_tell_up_from_down_stay_upright():
    made = planned(stats(train=4, up_down=Asymmetry(0.4, 1.0)))
    assert "flip_vertical" not in made.settings["augmentation"]
    assert "too few" in reason(made, "augmentation")


def test_rows_unlike_columns_forbid_quarter_turns():
    assert "rotate_degrees" not in planned(stats(anisotropy=2.0)).settings["augmentation"]


def test_ten_images():
    data = stats(train=7, images={"train": 7, "val": 1, "test": 2}, images_read=7)
    settings = planned(data).settings
    assert settings["batch_size"] == 8
    assert settings["augmentation"]["strength"] == "strong"
    assert settings["augmentation"]["elastic"] == 0
    assert settings["patience"] is None
    assert settings["encoder_rate"] == 0.1


def test_ten_thousand_images():
    made = planned(stats(train=10_000, images_read=300), timing=Timing(0.5))
    assert made.settings["augmentation"]["strength"] == "light"
    # 0.9 * 600 s at 0.5 s a step, 16 images each: 1,080 steps, 1.7 epochs.
    assert "1,080 steps" in reason(made, "minutes")
    assert "1.7 epochs" in reason(made, "minutes")


def test_one_percent_foreground():
    lesion = replace(CELL, name="lesion", share=0.004)
    settings = planned(stats(lesion, foreground_share=0.004)).settings
    assert settings["loss"] == "ce+tversky"
    assert settings["class_weights"] is None


def test_half_of_the_masks_empty():
    made = planned(stats(empty_share=0.5))
    assert made.settings["loss"] == "ce+0.3*dice"
    assert "50%" in reason(made, "loss")


def test_thin_vessels_keep_their_pixels():
    made = planned(stats(VESSEL, size=(584, 565)))
    settings = made.settings
    assert settings["size"] is None  # at 256 px they would be less than two pixels wide
    assert settings["crop"] == (256, 256)
    assert settings["loss"] == "ce+0.5*dice+0.5*cldice"
    assert settings["decoder"] == "unet"
    assert settings["augmentation"]["blur"] == 0
    assert "1.8 px" in reason(made, "size")


def test_large_images_of_small_things_are_cropped_and_of_large_things_shrunk():
    building = replace(CELL, name="building", small_area_share=0.0005, share=0.05)
    settings = planned(stats(building, size=(4000, 4000))).settings
    assert settings["crop"] == (256, 256)
    assert settings["favor_rare"] is True
    pet = replace(CELL, name="pet", small_area_share=0.2, width_share=0.3)
    assert planned(stats(pet, size=(3000, 4000))).settings["size"] == (192, 256)


def test_regions_that_do_not_grow_with_their_images_keep_their_scale():
    mixed = {"height": Summary(256, 300, 1000), "width": Summary(256, 300, 1400)}
    own_scale = planned(stats(size=(300, 300), area_exponent=0.1, **mixed))
    assert own_scale.settings["size"] is None
    assert "power 0.1" in reason(own_scale, "size")
    assert planned(stats(size=(300, 300), area_exponent=1.0, **mixed)).settings["size"] == (
        256,
        256,
    )


def test_without_weights_or_with_many_channels_it_learns_from_nothing():
    for data, weights in ((stats(), None), (stats(channels=10), "weights.h5")):
        settings = planned(data, weights=weights).settings
        assert settings["encoder"] == "plain"
        assert settings["encoder_weights"] is None
        assert settings["decoder"] == "unet"
        assert settings["deep_supervision"] > 0
        assert settings["decoder_widths"] == settings["encoder_widths"][-2::-1]
        assert "freeze" not in settings
    # Three strides have no step in between for a head of its own.
    few = planned(stats(), weights=None, given={"encoder_widths": [8, 16, 32]})
    assert "deep_supervision" not in few.settings


def test_rare_class_of_several_is_weighed():
    classes = [
        replace(CELL, name=name, share=share) for name, share in zip("ab", (0.3, 0.1), strict=True)
    ]
    made = planned(stats(*classes, replace(CELL, name="pole", share=0.003)))
    assert made.settings["class_weights"] == "balanced"
    assert "0.3%" in reason(made, "class_weights")


def test_one_region_in_every_mask_is_kept_alone():
    heart = replace(CELL, name="heart", max_regions=1, regions=100)
    assert planned(stats(heart)).settings["keep_largest"] is True
    few = replace(heart, images=10, regions=10)
    assert "keep_largest" not in planned(stats(few, train=10)).settings


def test_little_memory_makes_the_batch_small():
    made = planned(stats(), machine=Machine(2, 1000))
    assert made.settings["batch_size"] < 8
    assert made.settings["norm"] == "group"
    assert "1.0 GB" in reason(made, "batch_size")


def test_too_little_time_makes_it_smaller_and_much_time_larger():
    pet = replace(CELL, small_area_share=0.1)
    data = stats(pet, size=(480, 640))
    slow = Timing(step_s=8.0)
    made = planned(data)
    # 0.9 * 600 s at 8 s are 67 steps; at half the batch 134, at 192 px instead of 256 almost 240.
    size_level = next_size_level(made.settings, data, slow, 10, 0)
    assert size_level == -2
    smaller = planned(data, size_level=SizeLevel(size_level, "A step took 8 s."))
    assert smaller.settings["size"] == (128, 192)
    assert smaller.settings["batch_size"] == 8
    assert "took 8 s" in reason(smaller, "size")
    assert next_size_level(made.settings, data, Timing(step_s=0.05), 10, 0) == 1
    assert (
        next_size_level(planned(stats()).settings, stats(), Timing(step_s=0.05), 10, 0) == 0
    )  # no more to show


def test_a_step_of_another_size_is_told_from_a_measured_one():
    step = at_size_level(Timing(step_s=4.0, memory_mb=900), 0, -1)
    assert step == Timing(step_s=2.0, estimated=True)  # half the batch
    made = planned(stats(), size_level=SizeLevel(-1, "A step took 4 s."), timing=step)
    assert "estimated" in reason(made, "minutes")
    assert "measured" not in reason(made, "batch_size")


def test_what_is_set_by_hand_stays_and_others_follow():
    given = {"size": (512, 512), "seed": 3, "augmentation": {"flip_vertical": 0.0}}
    made = planned(stats(size=(1000, 1000)), given=given)
    settings = made.settings
    assert settings["size"] == (512, 512)
    assert settings["seed"] == 3
    assert settings["augmentation"]["flip_vertical"] == 0
    assert settings["augmentation"]["rotate_degrees"] == 180
    assert settings["batch_size"] == 4  # of so large images
    assert reason(made, "size") == "Set by the user."


def test_what_suits_classes_alone_is_not_planned_for_objects():
    made = planned(stats(size=(1000, 1000)), given={"objects": "centers"})
    assert made.settings["objects"] == "centers"
    assert not {"class_weights", "favor_rare", "min_area_px", "keep_largest"} & set(made.settings)


def test_yaml_is_what_training_reads(tmp_path):
    made = planned(stats(), timing=Timing(0.5, 10, 1500, 2_000_000))
    text = made.to_yaml()
    (tmp_path / "plan.yaml").write_text(text, encoding="utf-8")
    config = read_config(tmp_path / "plan.yaml", {}, TrainConfig)
    assert config == TrainConfig(**made.settings)
    assert yaml.safe_load(text).keys() == made.settings.keys()
    assert all(len(line) <= 100 for line in text.splitlines())
    assert text.startswith("# A plan for drawn, 10 minutes on 2 cores")


def test_every_class_may_be_empty():
    nothing = ClassStats("cell")
    settings = planned(stats(nothing, empty_share=1.0, foreground_share=0.0)).settings
    assert settings["size"] == (256, 256)
    assert settings["loss"].startswith("ce+0.3")


@pytest.mark.parametrize("weights", ["weights.h5", None])
def test_alternatives_differ_and_can_be_trained(weights):
    made = planned(stats(), weights=weights)
    rivals = candidates(made, 5)
    assert len(rivals) == 4
    assert len({rival.name for rival in rivals} | {made.name}) == 5
    for rival in rivals:
        TrainConfig(**rival.settings)
        assert rival.settings != made.settings
    assert candidates(made, 1) == []
