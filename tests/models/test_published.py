"""Which encoder starts from ImageNet weights where Keras can or cannot download."""

import urllib.error
from contextlib import nullcontext

import pytest

from maskwright.config import RegionConfig, TrainConfig
from maskwright.config.starting import with_encoder_at_hand
from maskwright.models.encoders import published


@pytest.fixture
def closed(monkeypatch, tmp_path):
    """A machine that reaches nothing and has stored nothing."""

    def refuse(request, timeout):
        raise urllib.error.URLError("no route to host")

    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.setattr(published, "urlopen", refuse)
    return tmp_path


def test_stored_or_reachable_weights_are_those_of_the_default(closed, monkeypatch):
    (closed / "models").mkdir()
    (closed / "models" / published._FILE).touch()
    assert published.default_encoder() == ("mobilenet_v2", None)
    (closed / "models" / published._FILE).unlink()
    monkeypatch.setattr(published, "urlopen", lambda request, timeout: nullcontext())
    assert published.default_encoder() == ("mobilenet_v2", None)


def test_a_closed_machine_takes_the_installed_ones_unless_there_are_none(closed, monkeypatch):
    encoder, told = published.default_encoder()
    assert encoder == "efficientnet_lite0"
    assert "cannot be downloaded (no route to host)" in told
    monkeypatch.setattr(published, "find_spec", lambda name: None)
    assert published.default_encoder() == ("mobilenet_v2", None)


@pytest.mark.parametrize("kind", [TrainConfig, RegionConfig])
def test_only_settings_that_choose_nothing_are_changed(closed, kind):
    told = []
    changed = with_encoder_at_hand(kind(), told.append)
    assert changed.encoder == "efficientnet_lite0"
    assert changed.model_fields_set == set()
    assert len(told) == 1
    for stated in ({"encoder": "mobilenet_v2"}, {"encoder_weights": None}, {"alpha": 0.35}):
        assert with_encoder_at_hand(kind(**stated), told.append).encoder == "mobilenet_v2"
    assert len(told) == 1
