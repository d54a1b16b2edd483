import numpy as np
import pytest

from maskwright.config import TrainConfig
from maskwright.errors import ConfigError
from maskwright.losses import LOSSES, CrossEntropy, Dice, Sum, Tversky, loss, parse

LABELS = np.array([[[0, 1, 1]]])
LOGITS = np.array([[[[1.0, 0.0], [0.5, 0.0], [0.0, 2.0]]]], "float32")


def test_a_sum_weighs_its_terms():
    ce, dice = float(CrossEntropy()(LABELS, LOGITS)), float(Dice()(LABELS, LOGITS))
    for description in ("0.5*ce+dice", " dice + .5 * ce ", {"ce": 0.5, "dice": 1}):
        value = float(loss(description, batch=False)(LABELS, LOGITS))
        assert value == pytest.approx(0.5 * ce + dice)


def test_settings_reach_the_terms_they_belong_to():
    total = loss(
        "ce+tversky",
        smoothing=0.1,
        ignore_label=7,
        arguments={"tversky": {"alpha": 0.2}},
    )
    ce, tversky = total.terms
    assert (ce.smoothing, tversky.alpha, tversky.beta, tversky.batch) == (0.1, 0.2, 0.7, True)
    assert total.ignore_label == ce.ignore_label == tversky.ignore_label == 7
    assert isinstance(loss("ce"), CrossEntropy)


def test_every_name_is_known_and_told_of():
    assert parse("dice+0.5*focal_tversky") == {"dice": 1, "focal_tversky": 0.5}
    told = TrainConfig.model_fields["loss"].description
    assert [name for name in LOSSES if name not in told] == []
    assert [loss(name).name for name in LOSSES if loss(name).ignore_label != 255] == []


@pytest.mark.parametrize("wrong", ["", "dise", "ce+ce", "ce-dice", "0*ce", {"ce": -1}, {}])
def test_a_wrong_description_is_refused(wrong):
    with pytest.raises(ConfigError):
        parse(wrong)


def test_terms_must_agree_on_what_they_ignore():
    with pytest.raises(ValueError, match="same label"):
        Sum([CrossEntropy(), Tversky(ignore_label=None)])
