"""The verbs of the command line as Python functions of plain arguments."""

from maskwright.api.demo_regions import RegionDemo, demo_regions
from maskwright.api.masks import (
    Demo,
    auto_size,
    build_model,
    check,
    demo,
    evaluate,
    load,
    make_augmentation,
    train,
)
from maskwright.api.predicting import predict
from maskwright.api.regions import (
    evaluate_regions,
    extract_regions,
    load_regions,
    predict_regions,
    train_regions,
)

__all__ = [
    "Demo",
    "RegionDemo",
    "auto_size",
    "build_model",
    "check",
    "demo",
    "demo_regions",
    "evaluate",
    "evaluate_regions",
    "extract_regions",
    "load",
    "load_regions",
    "make_augmentation",
    "predict",
    "predict_regions",
    "train",
    "train_regions",
]
