"""What is decided of masks without ground truth."""

import numpy as np
import pytest

from maskwright.reliability.accept_rule import AcceptRule
from maskwright.reliability.assessment import assess_features
from maskwright.reliability.class_trust import ClassTrust
from maskwright.reliability.mask_quality import QualityModel
from maskwright.reliability.record import TrustRecord

RULE = AcceptRule(threshold=0.5, need=0.8, level=0.1, delta=0.05, n=40, coverage=0.7)
GOOD, POOR = np.array([0.9, 0.1, 1.0]), np.array([0.3, 0.5, 0.5])


def record(need, rule):
    known = ClassTrust(
        n=40, promises=(), areas=(), masks=40, margin=0.1, bound_level=0.1, accept=rule
    )
    return TrustRecord(
        **{"model_sha256": "m", "data": "d", "split": "calibration", "is_approximate": False},
        **{"images": 40, "cases": 40, "calibrated_with": {}, "temperature_before": 1.0},
        classes={"disc": known},
        quality={"disc": QualityModel(np.zeros((0, 4)))},
        asked={"need_dice": need},
    )


@pytest.mark.parametrize(
    ("need", "rule", "features", "decision", "reason"),
    [
        (0.8, RULE, GOOD, "accept", "at least 0.5"),
        (0.8, RULE, POOR, "refer", "below 0.5"),
        (0.8, RULE, None, "refer", "no mask of disc"),
        (0.995, None, GOOD, "refer", "no rule for a Dice of 0.995"),
        (0.995, None, None, "refer", "no mask of disc"),
        (None, None, GOOD, None, "no Dice that masks need was stated"),
        (None, None, None, None, "no mask of disc"),
    ],
)
def test_what_is_not_promised_is_referred(need, rule, features, decision, reason):
    (told,) = assess_features(record(need, rule), {"disc": features}, None)
    assert told.decision == decision
    assert reason in told.reason
