"""Maskwright: from a folder of images and masks to a measured, deployable segmentation model."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"
__all__ = [
    "audit",
    "check",
    "compare",
    "compare_plans",
    "compare_recipes",
    "convert",
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
    "queue",
    "search",
    "serve",
    "train",
    "train_regions",
    "trust",
]

if TYPE_CHECKING:
    from maskwright.api.compare_plans import compare_plans
    from maskwright.api.cross_validation import cross_validate, ensemble
    from maskwright.api.data import check, convert, extract_regions
    from maskwright.api.demo import demo
    from maskwright.api.hyperparameter_search import search
    from maskwright.api.models import compare, evaluate, export_model, load, predict
    from maskwright.api.plan import plan
    from maskwright.api.recipe_comparison import compare_recipes
    from maskwright.api.train import find_learning_rate, train, train_regions
    from maskwright.api.trust import audit, queue, trust
    from maskwright.data import open_dataset
    from maskwright.serving import serve


def __getattr__(name: str) -> Any:
    """Load the verbs on first use: importing TensorFlow takes seconds."""
    if name not in __all__:
        raise AttributeError(f"module 'maskwright' has no attribute {name!r}")
    folder = {"open_dataset": "data", "serve": "serving"}.get(name, "api")
    return getattr(import_module(f"maskwright.{folder}"), name)
