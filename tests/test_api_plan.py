"""The plan on drawn data, from Python."""

import numpy as np
import pytest
import yaml

from maskwright import api
from maskwright.config import TrainConfig, read_config
from maskwright.data import open_dataset
from maskwright.data.synthetic.datasets import write_dataset
from maskwright.errors import ConfigError, ModelError
from maskwright.imageio import write_image

SMALL = {"encoder": "plain", "encoder_widths": (4, 8), "decoder_widths": (4,), "decoder": "light"}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return write_dataset(tmp_path_factory.mktemp("drawn") / "data", num_images=14, size=64)


def test_a_measured_plan_trains(data, tmp_path):
    path = tmp_path / "plan.yaml"
    told = []
    made = api.plan(data, path, minutes=0.5, on_message=told.append, encoder_weights=None, **SMALL)
    minutes = next(choice for choice in made.choices if choice.key == "minutes")
    assert "measured" in minutes.reason
    assert "Timing" in told[0]
    assert read_config(path, {}, TrainConfig) == TrainConfig(**made.settings)
    run = api.train(data, tmp_path / "run", plan=path, epochs=1, previews=0)
    assert yaml.safe_load(run.settings_file.read_text())["loss"] == made.settings["loss"]


def test_without_measuring_no_network_is_built(data):
    made = api.plan(data, minutes=3, measure=False, encoder_weights=None)
    assert made.settings["minutes"] == 3
    assert made.settings["encoder"] == "plain"
    # Of 14 images in few slides, a tenth would be too few to choose weights by.
    assert made.settings["augmentation"]["strength"] == "strong"


def test_weights_that_cannot_be_downloaded_are_planned_without(data, monkeypatch):
    def closed(*args, **kwargs):
        raise ModelError("The weights cannot be downloaded.")

    monkeypatch.setattr("maskwright.models.encoder", closed)
    made = api.plan(data, measure=False, encoder="vgg16")
    assert made.settings["encoder_weights"] is None
    reason = next(choice.reason for choice in made.choices if choice.key == "encoder_weights")
    assert "cannot be downloaded" in reason


def test_a_closed_machine_is_planned_with_the_encoder_that_is_installed(data, monkeypatch):
    told = ("efficientnet_lite0", "They cannot be downloaded.")
    monkeypatch.setattr("maskwright.models.encoders.published.default_encoder", lambda: told)
    made = api.plan(data, measure=False)
    assert made.settings["encoder"] == "efficientnet_lite0"
    assert made.settings["encoder_weights"] == "imagenet"


def test_settings_by_hand_are_checked_and_kept(data):
    given = {"size": None, "favor_rare": True, "encoder_weights": None, "loss": "ce"}
    made = api.plan(data, measure=False, **given)
    assert made.settings["size"] is None
    assert made.settings["crop"] == (64, 64)
    assert made.settings["loss"] == "ce"
    with pytest.raises(ConfigError, match="no setting sice"):
        api.plan(data, measure=False, sice=3)
    with pytest.raises(ModelError, match="no file"):
        api.plan(data, measure=False, encoder_weights="nowhere.h5")


def test_few_cases_and_copies_change_the_division(tmp_path):
    rng = np.random.default_rng(0)
    images = [rng.integers(0, 256, (8, 8, 3), np.uint8).repeat(8, 0).repeat(8, 1) for _ in range(9)]
    for number, image in enumerate([*images, images[-1] // 2 + 60]):
        write_image(tmp_path / "images" / f"{number}.png", image)
        mask = np.zeros((64, 64, 1), np.uint8)
        mask[8:24, 8:40] = 1
        write_image(tmp_path / "masks" / f"{number}.png", mask)
    division = {"split_seed": 3}
    made = api.plan(tmp_path, measure=False, encoder_weights=None, test_share=0.0, **division)
    assert made.settings["val_share"] == 0.2  # two of ten, not one
    both = [choice for choice in made.choices if choice.key == "unite_duplicates"]
    train = {s.id for s in open_dataset(tmp_path, val_share=0.2, test_share=0, seed=3).of("train")}
    assert bool(both) == ({"8", "9"} <= train)


def test_what_plans_name_exists():
    from maskwright.losses import parse
    from maskwright.models import DECODERS, ENCODERS

    assert {"plain", "residual", "mobilenet_v2"} <= set(ENCODERS)
    assert {"light", "unet", "fpn", "deeplab_v3_plus"} <= set(DECODERS)
    for loss in (
        "ce+0.5*dice+0.5*cldice",
        "ce+0.3*tversky+0.3*cldice",
        "ce+tversky",
        "ce+0.3*dice",
    ):
        parse(loss)
