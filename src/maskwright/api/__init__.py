"""The verbs of the command line as Python functions of plain arguments."""

from maskwright.api.by_kind import evaluate, load, predict
from maskwright.api.compare import compare, comparison_folder
from maskwright.api.compare_plans import PlanChoice, compare_plans, plan_and_compare
from maskwright.api.cross_validation import Folds, cross_validate, ensemble, is_cross_validation
from maskwright.api.demo_masks import Demo, demo
from maskwright.api.demo_regions import RegionDemo, demo_regions
from maskwright.api.export import export_model
from maskwright.api.extract_regions import extract_regions
from maskwright.api.from_config import auto_size, describe_model, make_augmentation
from maskwright.api.lr_finder import find_learning_rate
from maskwright.api.masks import check, train
from maskwright.api.plans import plan
from maskwright.api.regions import (
    evaluate_regions,
    load_regions,
    predict_regions,
    train_regions,
)
from maskwright.api.search import search

__all__ = [
    "Demo",
    "Folds",
    "PlanChoice",
    "RegionDemo",
    "auto_size",
    "check",
    "compare",
    "compare_plans",
    "comparison_folder",
    "cross_validate",
    "demo",
    "demo_regions",
    "describe_model",
    "ensemble",
    "evaluate",
    "evaluate_regions",
    "export_model",
    "extract_regions",
    "find_learning_rate",
    "is_cross_validation",
    "load",
    "load_regions",
    "make_augmentation",
    "plan",
    "plan_and_compare",
    "predict",
    "predict_regions",
    "search",
    "train",
    "train_regions",
]
