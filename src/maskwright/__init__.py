"""Maskwright: from a folder of images and masks to a measured, deployable segmentation model.

Verbs do the work from files to files; `augment`, `encoders`, `losses`, `metrics`, `models` and
`regions` are a library for Keras code of one's own.
"""

from typing import TYPE_CHECKING

from maskwright.lazy import lazy_names
from maskwright.quiet import quiet_tensorflow

__version__ = "0.1.0"
__all__ = [
    "audit",
    "augment",
    "check",
    "compare",
    "compare_plans",
    "compare_recipes",
    "convert",
    "cross_validate",
    "demo",
    "encoders",
    "ensemble",
    "evaluate",
    "export_model",
    "extract_regions",
    "find_learning_rate",
    "load",
    "losses",
    "metrics",
    "models",
    "open_dataset",
    "plan",
    "plan_regions",
    "predict",
    "queue",
    "regions",
    "search",
    "serve",
    "train",
    "train_on_cluster",
    "train_regions",
    "trust",
    "write_card",
]

if TYPE_CHECKING:
    from maskwright import augment, encoders, losses, metrics, models, regions
    from maskwright.api.compare_plans import compare_plans
    from maskwright.api.cross_validation import cross_validate, ensemble
    from maskwright.api.data import check, convert, extract_regions
    from maskwright.api.demo import demo
    from maskwright.api.deploy.card import write_card
    from maskwright.api.deploy.export import export_model
    from maskwright.api.hyperparameters.search import search
    from maskwright.api.models import compare, evaluate, load, predict
    from maskwright.api.plan import plan, plan_regions
    from maskwright.api.recipe_comparison import compare_recipes
    from maskwright.api.train import (
        find_learning_rate,
        train,
        train_on_cluster,
        train_regions,
    )
    from maskwright.api.trust import audit, queue, trust
    from maskwright.data import open_dataset
    from maskwright.serving import serve

_LIBRARY = ("augment", "encoders", "losses", "metrics", "models", "regions")
_FOLDERS = {"open_dataset": "data", "serve": "serving", **{name: name for name in _LIBRARY}}
__getattr__, __dir__ = lazy_names(
    __name__, {name: f"maskwright.{_FOLDERS.get(name, 'api')}" for name in __all__}
)
quiet_tensorflow()
