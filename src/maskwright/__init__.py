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
    "export_model",
    "extract_regions",
    "find_learning_rate",
    "load",
    "open_dataset",
    "plan",
    "predict",
    "search",
    "serve",
    "train",
    "train_regions",
]

if TYPE_CHECKING:
    from maskwright.api.check import check
    from maskwright.api.compare import compare
    from maskwright.api.cross_validation import cross_validate, ensemble
    from maskwright.api.demo.masks import demo
    from maskwright.api.evaluate import evaluate
    from maskwright.api.export import export_model
    from maskwright.api.extract_regions import extract_regions
    from maskwright.api.lr_finder import find_learning_rate
    from maskwright.api.plans.compare_plans import compare_plans
    from maskwright.api.plans.plan import plan
    from maskwright.api.predict import load, predict
    from maskwright.api.search.search import search
    from maskwright.api.train import train, train_regions
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
