"""Arguments of wrong types end in one sentence."""

from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType
from typing import Literal

import numpy as np
import pytest
from pydantic import NonNegativeInt

import maskwright
from maskwright.arguments import checked
from maskwright.errors import ConfigError


@checked
def build(
    data: str | Path,
    share: float | None = None,
    *,
    fold: tuple[int, int] | None = None,
    names: Sequence[str] = (),
    kind: Literal["a", "b"] = "a",
    act: Callable[[str], None] = print,
    seed: NonNegativeInt = 0,
) -> str:
    """What was given."""
    return f"{data} {share}"


def test_values_of_the_types_that_are_annotated_pass():
    assert build("x", np.float32(0.5)) == "x 0.5"
    for fold in ((1, 2), [1, 2], (np.int64(1), 2)):
        assert build(Path("x"), 1, fold=fold, names=["a"], kind="c") == "x 1"


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"data": None}, "`data` of `build` takes text or a path; received None."),
        ({"share": "x"}, "`share` of `build` takes a number or None; received 'x'."),
        ({"share": True}, "`share` of `build` takes a number or None; received True."),
        ({"fold": (1, 2, 3)}, r"takes \(a whole number, a whole number\) or None; received"),
        ({"fold": (1, 2.5)}, r"received \(1, 2.5\)"),
        ({"names": "ab"}, "takes a list of text; received 'ab'"),
        ({"kind": 3}, "takes 'a' or 'b'; received 3"),
        ({"act": 3}, "takes a function; received 3"),
        ({"seed": -1}, "takes a whole number of at least 0; received -1"),
    ],
)
def test_other_values_are_refused_in_a_sentence(given, sentence):
    with pytest.raises(ConfigError, match=sentence):
        build(**{"data": "x", **given})


@pytest.mark.parametrize(
    ("verb", "args", "given", "name"),
    [
        ("open_dataset", ["data"], {"val_share": "x"}, "val_share"),
        ("predict", ["run", "images", None], {}, "out"),
        ("predict", ["run", "images", "out"], {"batch_size": 0}, "batch_size"),
        ("train", ["data", None], {}, "out"),
        ("evaluate", [None, "data"], {}, "run"),
        ("evaluate", ["run", "data"], {"examples": "x"}, "examples"),
        ("audit", [None, "data"], {}, "run"),
        ("audit", ["run", "data"], {"examples": -1}, "examples"),
        ("queue", ["run", "images"], {"count": 0}, "count"),
        ("export_model", ["run", None], {"format": "onnx"}, "out"),
    ],
)
def test_verbs_check_their_arguments_before_anything_is_done(verb, args, given, name):
    with pytest.raises(ConfigError, match=f"`{name}` of `{verb}` takes .*; received"):
        getattr(maskwright, verb)(*args, **given)


def test_every_verb_checks_its_arguments():
    named = [getattr(maskwright, name) for name in maskwright.__all__]
    verbs = [each for each in named if not isinstance(each, ModuleType)]
    assert len(verbs) > 20
    assert all(hasattr(verb, "__wrapped__") for verb in verbs)
