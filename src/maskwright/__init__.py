"""Maskwright: from a folder of images and masks to a measured, deployable segmentation model."""

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"
__all__ = [
    "check",
    "compare",
    "compare_plans",
    "cross_validate",
    "demo",
    "ensemble",
    "evaluate",
    "evaluate_regions",
    "export_model",
    "extract_regions",
    "find_rate",
    "load",
    "load_regions",
    "open_dataset",
    "plan",
    "predict",
    "predict_regions",
    "search",
    "serve",
    "train",
    "train_regions",
]

if TYPE_CHECKING:
    from maskwright.api import (
        check,
        compare,
        compare_plans,
        cross_validate,
        demo,
        ensemble,
        evaluate,
        evaluate_regions,
        export_model,
        extract_regions,
        find_rate,
        load,
        load_regions,
        plan,
        predict,
        predict_regions,
        search,
        train,
        train_regions,
    )
    from maskwright.data import open_dataset
    from maskwright.serving import serve


def __getattr__(name: str) -> Any:
    """Load the verbs on first use: importing TensorFlow takes seconds."""
    if name == "open_dataset":
        from maskwright.data import open_dataset

        return open_dataset
    if name == "serve":
        from maskwright.serving import serve

        return serve
    if name in __all__:
        from maskwright import api

        return getattr(api, name)
    raise AttributeError(f"module 'maskwright' has no attribute {name!r}")
