"""Promises about masks that hold for new cases, and doubts about single images and labels.

Functions of NumPy arrays alone: what a predictor gives, or scores by case, goes in.
"""

from maskwright.reliability.accept_rule import AcceptRule, aurc, fit_accept_rule, risk_coverage
from maskwright.reliability.familiarity import (
    FamiliarityModel,
    familiarity_p_values,
    fit_familiarity,
    shift_p_value,
)
from maskwright.reliability.label_audit import SuspectPiece, label_score, worst_piece
from maskwright.reliability.labeling_queue import labeling_order
from maskwright.reliability.mask_quality import (
    QualityModel,
    fit_quality,
    lower_bound,
    margin,
    mask_features,
)
from maskwright.reliability.nested_masks import (
    CaseCurves,
    case_curves,
    count_by_threshold,
    nested_shares,
)
from maskwright.reliability.pixel_temperature import (
    at_temperature,
    fit_pixel_temperature,
    sample_pixels,
)
from maskwright.reliability.promises import Promise, PromiseRequest, make_promise, realized_loss

__all__ = [
    "AcceptRule",
    "CaseCurves",
    "FamiliarityModel",
    "Promise",
    "PromiseRequest",
    "QualityModel",
    "SuspectPiece",
    "at_temperature",
    "aurc",
    "case_curves",
    "count_by_threshold",
    "familiarity_p_values",
    "fit_accept_rule",
    "fit_familiarity",
    "fit_pixel_temperature",
    "fit_quality",
    "label_score",
    "labeling_order",
    "lower_bound",
    "make_promise",
    "margin",
    "mask_features",
    "nested_shares",
    "realized_loss",
    "risk_coverage",
    "sample_pixels",
    "shift_p_value",
    "worst_piece",
]
