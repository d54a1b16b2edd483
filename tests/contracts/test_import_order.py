"""Work moves left to right: a module imports from its left, never back (`docs/design.md`)."""

import ast
import subprocess
import sys
from collections.abc import Iterable, Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import maskwright

ROOT = Path(maskwright.__file__).parent
ORDER = (
    *(
        "errors",
        "lazy",
        "quiet",
        "types",
        "arguments",
        "cluster",
        "architectures",
        "labels",
        "rle",
        "instances",
        "imageio",
        "model_card",
    ),
    *("display", "data", "augment", "losses", "metrics"),
    *("models", "encoders", "planning", "training", "export", "inference", "reliability"),
    *("evaluation", "config", "tasks", "regions", "api", "serving", "cli"),
)
MAY_NEED_TENSORFLOW = (
    *(
        "data.pipeline.batches",
        "data.pipeline.epochs",
        "data.pipeline.joint_augmentation",
        "losses",
        "metrics.streaming",
    ),
    *("models", "training"),
    *("tasks.instances.learning.batches", "tasks.instances.learning.objective"),
    *("tasks.instances.training", "tasks.regions.training", "tasks.regions.learning.objective"),
    "tasks.regions.learning.batches",
    *("tasks.semantic.training", "tasks.multilabel.training"),
)


def module_name(path: Path) -> str:
    """Dotted name below `maskwright`; empty for the package itself."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


FILES = {module_name(path): path for path in sorted(ROOT.rglob("*.py"))}
TREES = {name: ast.parse(path.read_text(encoding="utf-8")) for name, path in FILES.items()}


def imported(nodes: Iterable[ast.AST]) -> Iterator[str]:
    """Full names of what the import statements among some nodes import."""
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, "Say `from maskwright… import …` instead of a relative import."
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def own_modules(module: str) -> set[str]:
    """Modules of Maskwright that a module imports, wherever in it, without the prefix."""
    modules = set()
    for name in imported(ast.walk(TREES[module])):
        if name.startswith("maskwright."):
            inner = name.removeprefix("maskwright.")
            modules.add(inner if inner in FILES else inner.rpartition(".")[0])
    return modules - {""}


def is_within(module: str, packages: tuple[str, ...]) -> bool:
    return any(module == package or module.startswith(f"{package}.") for package in packages)


def test_every_folder_has_its_place():
    assert {name.partition(".")[0] for name in FILES} - {"", "__main__"} <= set(ORDER)


@pytest.mark.parametrize("module", [name for name in FILES if name not in ("", "__main__")])
def test_imports_come_from_the_left(module):
    place = ORDER.index(module.partition(".")[0])
    right = {name for name in own_modules(module) if ORDER.index(name.partition(".")[0]) > place}
    assert not right, f"{module} imports {right} from its right."


def test_files_of_a_folder_have_a_reading_order():
    graph = {module: own_modules(module) for module in FILES if module}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(f"These import each other: {' <- '.join(error.args[1])}.")


@pytest.mark.parametrize(
    "package",
    [name for name, path in FILES.items() if name not in ("", "cli") and path.stem == "__init__"],
)
def test_init_lists_names_and_holds_no_logic(package):
    for statement in TREES[package].body:
        if isinstance(statement, ast.If) and ast.unparse(statement.test) == "TYPE_CHECKING":
            continue  # names for checkers that `lazy_names` imports on first use
        is_text = isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
        lists = isinstance(statement, ast.Assign) and ast.unparse(statement.targets[0]) == "__all__"
        is_lazy = isinstance(statement, ast.Assign) and "lazy_names(" in ast.unparse(statement)
        assert is_text or lists or is_lazy or isinstance(statement, ast.ImportFrom), ast.unparse(
            statement
        )


def test_tensorflow_is_imported_late():
    for module, tree in TREES.items():
        heavy = {name.partition(".")[0] for name in imported(tree.body)} & {"tensorflow", "keras"}
        assert not heavy or is_within(module, MAY_NEED_TENSORFLOW), f"{module} imports {heavy}."


@pytest.mark.parametrize(
    "package",
    ["maskwright", "maskwright.inference", "maskwright.tasks.registry", "maskwright.cli"],
)
def test_starting_needs_no_tensorflow(package):
    code = f"import sys, {package}; print([n for n in ('tensorflow', 'keras') if n in sys.modules])"
    command = [sys.executable, "-c", code]
    answer = subprocess.run(command, capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "[]"
