"""Arguments of public functions, checked against their annotations before anything is done."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from pathlib import Path
from types import NoneType, UnionType
from typing import (
    Annotated,
    Any,
    Literal,
    ParamSpec,
    TypeVar,
    Union,
    get_args,
    get_origin,
    get_type_hints,
)

import numpy as np

from maskwright.errors import ConfigError

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")

_WORDS: dict[Any, str] = {
    **{NoneType: "None", bool: "True or False", int: "a whole number", float: "a number"},
    **{str: "text", Path: "a path", dict: "a dict"},
}


def checked(function: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
    """The same function, which raises `ConfigError` for arguments of other types than annotated.

    Annotations in quotes, and keyword arguments of a `TypedDict`, are left to the function.
    """
    signature = inspect.signature(function)
    hints = {
        name: parameter.annotation
        for name, parameter in signature.parameters.items()
        if not isinstance(parameter.annotation, str)
        and parameter.kind is not inspect.Parameter.VAR_KEYWORD
    }

    @wraps(function)
    def call(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Result:
        check_types(function.__name__, signature.bind(*args, **kwargs).arguments, hints)
        return function(*args, **kwargs)

    return call


def check_options(verb: str, given: Mapping[str, Any], arguments: type) -> None:
    """Raise `ConfigError` for options of a verb that its typed arguments do not allow."""
    hints = get_type_hints(arguments, include_extras=True)
    known = sorted(hints)
    if unknown := [name for name in given if name not in known]:
        raise ConfigError(
            f"`{verb}` has no option {', '.join(unknown)}; its options are {', '.join(known)}."
        )
    check_types(verb, given, hints)


def check_types(function: str, values: Mapping[str, Any], hints: Mapping[str, Any]) -> None:
    """Raise `ConfigError` for the first of some values that is not of the type of its name."""
    for name, value in values.items():
        if name in hints and not _fits(value, hints[name]):
            raise ConfigError(
                f"`{name}` of `{function}` takes {_describe(hints[name])}; received {value!r}."
            )


def _fits(value: Any, hint: Any) -> bool:
    """Whether a value is of a type; lists stand for tuples, NumPy's numbers for Python's."""
    origin, inner = get_origin(hint), get_args(hint)
    value = value.item() if isinstance(value, np.generic) else value
    if origin is Annotated:
        return _fits(value, inner[0]) and all(_is_within(value, limit) for limit in inner[1:])
    if origin in (Union, UnionType):
        return any(_fits(value, each) for each in inner)
    if origin is Literal:  # which of them, the function says itself
        return type(value) in {type(each) for each in inner}
    if origin is tuple and inner[-1:] != (...,):
        is_list = isinstance(value, list | tuple) and len(value) == len(inner)
        return is_list and all(map(_fits, value, inner))
    if origin in (tuple, Sequence):
        is_list = isinstance(value, Sequence) and not isinstance(value, str | bytes)
        return is_list and all(_fits(each, inner[0]) for each in value)
    if hint in (int, float):
        is_number = isinstance(value, int if hint is int else int | float)
        return is_number and not isinstance(value, bool)
    kind = origin or hint
    return isinstance(value, kind) if isinstance(kind, type) else True


def _is_within(value: Any, limit: Any) -> bool:
    """Whether a number is within `ge` or `gt` of a limit, as pydantic's types state them."""
    return bool(value >= getattr(limit, "ge", value) and value > getattr(limit, "gt", value - 1))


def _describe(hint: Any) -> str:
    """A type in words."""
    origin, inner = get_origin(hint), get_args(hint)
    if origin is Annotated:
        least = [f" of at least {limit.ge}" for limit in inner[1:] if hasattr(limit, "ge")]
        above = [f" above {limit.gt}" for limit in inner[1:] if hasattr(limit, "gt")]
        return _describe(inner[0]) + "".join(least + above)
    if origin in (Union, UnionType):
        *most, last = dict.fromkeys(map(_describe, inner))
        return f"{', '.join(most)} or {last}" if most else last
    if origin is Literal:
        return " or ".join(map(repr, inner))
    if origin is tuple and inner[-1:] != (...,):
        return f"({', '.join(map(_describe, inner))})"
    if origin in (tuple, Sequence):
        return f"a list of {_describe(inner[0])}"
    if origin is not None and issubclass(origin, Callable):  # type: ignore[arg-type]
        return "a function"
    kind = origin or hint
    return _WORDS.get(kind, f"a {kind.__name__}" if isinstance(kind, type) else str(kind))
