"""The verbs of the command line as Python functions of plain arguments.

`data` is what `open_dataset` takes; every error is a `MaskwrightError` of one sentence.
"""

from maskwright.api.compare_plans import compare_plans, plan_and_compare
from maskwright.api.cross_validation import cross_validate, ensemble, is_cross_validation
from maskwright.api.data import check, convert, extract_regions
from maskwright.api.demo import Demo, demo, demo_objects, demo_regions
from maskwright.api.deploy.card import write_card
from maskwright.api.deploy.export import export_model
from maskwright.api.fold_scores import Folds
from maskwright.api.hyperparameters.search import search
from maskwright.api.models import (
    compare,
    comparison_folder,
    evaluate,
    load,
    predict,
)
from maskwright.api.plan import plan, plan_regions
from maskwright.api.plan_choice import PlanChoice
from maskwright.api.recipe_comparison import RecipeComparison, compare_recipes
from maskwright.api.train import find_learning_rate, train, train_on_cluster, train_regions
from maskwright.api.trust import audit, audit_folder, queue, trust
from maskwright.export.sharing.facts import Publication

__all__ = [
    "Demo",
    "Folds",
    "PlanChoice",
    "Publication",
    "RecipeComparison",
    "audit",
    "audit_folder",
    "check",
    "compare",
    "compare_plans",
    "compare_recipes",
    "comparison_folder",
    "convert",
    "cross_validate",
    "demo",
    "demo_objects",
    "demo_regions",
    "ensemble",
    "evaluate",
    "export_model",
    "extract_regions",
    "find_learning_rate",
    "is_cross_validation",
    "load",
    "plan",
    "plan_regions",
    "plan_and_compare",
    "predict",
    "queue",
    "search",
    "train",
    "train_on_cluster",
    "train_regions",
    "trust",
    "write_card",
]
