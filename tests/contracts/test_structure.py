"""What is true of every module: sizes, names, and the tree in `docs/design.md`."""

import ast
import re
from collections import Counter, defaultdict
from pathlib import Path
from typing import get_type_hints

import pytest

import maskwright
from maskwright.config import RegionConfig, TrainConfig
from maskwright.config.typed import RegionSettings, TrainSettings

ROOT = Path(maskwright.__file__).parent
DOCS = Path(__file__).parents[2] / "docs"
MAX_LINES = 240
MAX_PARAMETERS = 8
# What a model is: asked of a task, never of the object.
MODEL_CLASSES = {
    *("Predictor", "InstancePredictor", "Pipeline", "Classifier"),
    *("SemanticCard", "InstanceCard", "RegionCard"),
    *("SemanticEvaluation", "InstanceEvaluation", "RegionEvaluation"),
}
FILES = {path.relative_to(ROOT).as_posix(): path for path in sorted(ROOT.rglob("*.py"))}
TREES = {name: ast.parse(path.read_text(encoding="utf-8")) for name, path in FILES.items()}


def test_modules_are_short():
    lines = {
        name: len(path.read_text(encoding="utf-8").splitlines()) for name, path in FILES.items()
    }
    assert {name: count for name, count in lines.items() if count > MAX_LINES} == {}


def test_folders_are_short():
    folders = defaultdict(int)
    for path in FILES.values():
        folders[path.parent.relative_to(ROOT).as_posix()] += path.stem != "__init__"
    assert {name: count for name, count in folders.items() if count > 15} == {}


def parameters(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Number of parameters, `self` and `cls` aside."""
    args = function.args
    named = [a.arg for a in (*args.posonlyargs, *args.args, *args.kwonlyargs)]
    return len(named) - (named[:1] in (["self"], ["cls"]))


def test_functions_have_few_parameters():
    wide = [
        f"{name}: {node.name}"
        for name, tree in TREES.items()
        if not name.startswith("cli/")
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and parameters(node) > MAX_PARAMETERS
    ]
    assert wide == []


def test_public_functions_name_their_options():
    untyped = [
        f"{name}: {node.name}"
        for name, tree in TREES.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef)
        and not node.name.startswith("_")
        and node.args.kwarg is not None
        and ast.unparse(node.args.kwarg.annotation or ast.Name("Any")) == "Any"
        and name.split("/")[0] in ("api", "serving", "evaluation", "inference", "training", "tasks")
    ]
    assert untyped == []


def test_public_classes_have_different_names():
    places = defaultdict(list)
    for name, tree in TREES.items():
        for node in tree.body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                places[node.name].append(name)
    assert {name: files for name, files in places.items() if len(files) > 1} == {}


def test_only_tasks_know_which_model_they_have():
    asked = [
        f"{name}: {ast.unparse(node)}"
        for name, tree in TREES.items()
        if not name.startswith("tasks/")
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and ast.unparse(node.func) == "isinstance"
        and MODEL_CLASSES & set(re.findall(r"\w+", ast.unparse(node.args[1])))
    ]
    assert asked == []


def test_no_logic_hangs_on_the_words_of_a_message():
    asked = [
        f"{name}: {ast.unparse(node)}"
        for name, tree in TREES.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in ("startswith", "endswith")
        and node.args
        and isinstance(node.args[0], ast.Constant)
        and isinstance(node.args[0].value, str)
        and " " in node.args[0].value.strip()
    ]
    assert asked == []


@pytest.mark.parametrize(
    ("typed", "config"), [(TrainSettings, TrainConfig), (RegionSettings, RegionConfig)]
)
def test_typed_settings_are_those_of_the_config(typed, config):
    assert set(get_type_hints(typed)) == set(config.model_fields)


def test_every_setting_and_public_name_is_documented():
    for config in (TrainConfig, RegionConfig):
        missing = [name for name, field in config.model_fields.items() if not field.description]
        assert missing == []
    for name in maskwright.__all__:
        assert getattr(maskwright, name).__doc__, name


def test_the_tree_in_the_design_equals_the_files():
    text = (DOCS / "design.md").read_text(encoding="utf-8")
    block = text.split("src/maskwright/\n", 1)[1].split("```", 1)[0]
    listed, folders = set(), []
    for line in block.splitlines():
        match = re.match(r"^((?:│   |    )*)[├└]── (.*)$", line)
        if not match:
            continue
        depth = len(match[1]) // 4
        names = re.findall(
            r"[\w.]+(?:/|\.py)", match[2].split("   ")[0] if "   " in match[2] else match[2]
        )
        for entry in names:
            if entry.endswith("/"):
                folders[depth:] = [entry[:-1]]
            else:
                listed.add("/".join([*folders[:depth], entry]))
    actual = {name for name in FILES if not name.endswith("__init__.py")}
    assert listed == actual


def test_test_modules_have_different_names():
    """Without packages, pytest imports a test module by its name alone."""
    counts = Counter(path.name for path in DOCS.parent.joinpath("tests").rglob("test_*.py"))
    assert [name for name, count in counts.items() if count > 1] == []
