import re

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
