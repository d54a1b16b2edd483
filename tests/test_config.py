import re
from inspect import signature

import pytest
import yaml

from maskwright import losses, models
from maskwright.architectures import ARCHITECTURES, SCRATCH
from maskwright.config import RegionConfig, TrainConfig, parse_settings, read_config
from maskwright.errors import ConfigError


def test_values_are_read_as_people_write_them():
    assert parse_settings(["size=128", "crop=240x320", "learning_rate=4e-3", "group_by=none"]) == {
        "size": 128,
        "crop": "240x320",
        "learning_rate": 0.004,
        "group_by": None,
    }
    config = TrainConfig(**parse_settings(["size=128", "crop=240x320"]))
    assert (config.size, config.crop) == ((128, 128), (240, 320))


def test_settings_within_a_setting():
    settings = parse_settings(["augmentation=strong", "augmentation.rotate_degrees=5"])
    assert settings == {"augmentation": {"strength": "strong", "rotate_degrees": 5}}
    none = TrainConfig(**parse_settings(["augmentation=none", "norm=none", "encoder_weights=none"]))
    assert (none.augmentation, none.norm) == ({"strength": "none"}, "none")
    assert none.encoder_weights is None
    given = parse_settings(["augmentation=none", "augmentation.noise=0.1"])
    assert TrainConfig(**given).augmentation == {"strength": "none", "noise": 0.1}
    config = TrainConfig(**parse_settings(["augmentation.blur=0"]))
    assert config.augmentation == {"strength": "medium", "blur": 0}


def test_a_file_of_settings_gives_the_same_settings_back(tmp_path):
    config = TrainConfig(size=64, epochs=3, class_weights={"cat": 2.0})
    (tmp_path / "plan.yaml").write_text(yaml.safe_dump(config.model_dump(mode="json")))
    assert read_config(tmp_path / "plan.yaml", {}, TrainConfig) == config
    assert read_config(tmp_path / "plan.yaml", {"minutes": 2}, TrainConfig).epochs is None


def test_what_depends_on_pretrained_weights():
    pretrained, fresh = TrainConfig().recipe(), TrainConfig(encoder="plain").recipe()
    assert (pretrained["freeze"], pretrained["fix_statistics"]) == (0.2, True)
    assert (fresh["freeze"], fresh["fix_statistics"], fresh["encoder_rate"]) == (0.0, False, 1.0)


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"learning_rat": 1}, "there is no setting learning_rat"),
        ({"learning_rate": -1}, r"learning_rate cannot be -1 .*greater than 0"),
        ({"size": None}, "size=none trains on crops: set a crop, such as crop=256"),
        ({"epochs": 1, "minutes": 1}, "either epochs or minutes, not both"),
    ],
)
def test_settings_that_cannot_be_used(settings, sentence):
    with pytest.raises(ConfigError, match=sentence):
        read_config(None, settings, TrainConfig)


def test_a_setting_without_a_value():
    with pytest.raises(ConfigError, match="KEY=VALUE; received 'size'"):
        parse_settings(["size"])


@pytest.mark.parametrize("config", [TrainConfig, RegionConfig])
def test_every_setting_has_a_description_that_stands_alone(config):
    descriptions = {name: field.description for name, field in config.model_fields.items()}
    for name, text in descriptions.items():
        assert re.fullmatch(r"[A-Z].*\.", text, re.S), name
        assert len(text.split()) >= 3, name
    assert len(set(descriptions.values())) == len(descriptions)


def test_descriptions_name_all_decoders_losses_presets_and_encoders_without_weights():
    words = {
        name: set(re.findall(r"\w+", field.description))
        for name, field in TrainConfig.model_fields.items()
    }
    assert words["decoder"] >= set(models.DECODERS)
    assert words["loss"] >= set(losses.LOSSES)
    assert words["preset"] >= set(ARCHITECTURES)
    between = {f"mit_b{size}" for size in range(1, 5)}  # "mit_b0 to mit_b5"
    assert words["encoder"] >= set(SCRATCH) - between


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"preset": "small", "norm": "group"}, "`norm` has no effect with preset=small: the pre"),
        ({"preset": "pspnet", "dropout": 0.0}, "`dropout` has no effect with preset=pspnet"),
        ({"preset": "fpn", "encoder": "plain"}, "`encoder` has no effect with preset=fpn"),
        ({"preset": "small", "encoder_weights": "imagenet"}, "`encoder_weights` has no effect"),
        ({"encoder": "resnet18", "encoder_widths": (8, 16)}, "encoder=resnet18: only plain"),
        (
            {"preset": "small", "fix_statistics": True},
            "no effect with preset=small: it has no batch",
        ),
        ({"encoder": "plain", "norm": "group", "fix_statistics": True}, "with norm=group: the enc"),
        ({"encoder": "plain", "encoder_weights": "imagenet"}, "it has no published weights; leave"),
        ({"optimizer": "adam", "weight_decay": 0.1}, "with optimizer=adam: Adam with weight decay"),
        ({"encoder": "plain", "alpha": 0.5}, "`alpha` has no effect with encoder=plain"),
        ({"loss": "focal+dice", "smoothing": 0.1}, r"`smoothing` .* loss=focal\+dice"),
        ({"size": 64, "crop": 96}, "`crop` has no effect with size=64x64"),
        ({"objects": "centers", "class_weights": "balanced"}, "`class_weights` .*objects=centers"),
        ({"objects": "mask_rcnn", "decoder": "unet"}, "`decoder` .*objects=mask_rcnn"),
        ({"detector": "paper"}, "`detector` has no effect with objects=none"),
    ],
)
def test_settings_without_effect_are_refused(settings, sentence):
    with pytest.raises(ConfigError, match=sentence):
        read_config(None, settings, TrainConfig)


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"pixels": False, "outside": "removed"}, "`outside` has no effect with pixels=false"),
        ({"preset": "reference_cnn", "pooling": "mean"}, "`pooling` .*preset=reference_cnn"),
        ({"preset": "reference_cnn", "measures": True}, "the preset has no measures"),
        ({"variants": 0, "mask_perturbation": 0.1}, "`mask_perturbation` .*variants=0"),
        ({"unit": "region", "max_regions": 8}, "`max_regions` .*unit=region"),
    ],
)
def test_settings_of_regions_without_effect_are_refused(settings, sentence):
    with pytest.raises(ConfigError, match=sentence):
        read_config(None, settings, RegionConfig)


def test_settings_that_ask_for_nothing_are_accepted_anywhere():
    read_config(None, {"objects": "centers", "favor_rare": False, "threshold": None}, TrainConfig)
    read_config(None, {"preset": "small", "encoder_weights": None}, TrainConfig)


def test_a_plan_records_only_settings_with_an_effect(tmp_path):
    recorded = TrainConfig(preset="fpn", size=64, epochs=2).effective()
    assert not recorded.keys() & {"encoder", "decoder", "norm", "dropout", "output_stride", "alpha"}
    assert recorded.keys() >= {"preset", "encoder_weights", "loss", "size"}
    (tmp_path / "plan.yaml").write_text(yaml.safe_dump(recorded))
    assert read_config(tmp_path / "plan.yaml", {}, TrainConfig).effective() == recorded


def test_settings_of_a_file_give_way_to_those_given_after_it(tmp_path):
    (tmp_path / "plan.yaml").write_text("decoder: unet\nnorm: group\nsize: 64\n")
    config = read_config(tmp_path / "plan.yaml", {"preset": "fpn"}, TrainConfig)
    assert "decoder" not in config.effective()
    with pytest.raises(ConfigError, match="`norm` has no effect with preset=fpn"):
        read_config(tmp_path / "plan.yaml", {"preset": "fpn", "norm": "group"}, TrainConfig)


def test_label_smoothing_belongs_to_cross_entropy_alone():
    takes = {n for n, kind in losses.LOSSES.items() if "smoothing" in signature(kind).parameters}
    assert takes == {"ce"}
