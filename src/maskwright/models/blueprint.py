"""How a network is built, as plain values: what a file may say of it, and nothing more."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from inspect import Parameter, signature
from typing import Any

import keras

from maskwright.architectures import SEGMENTER
from maskwright.errors import ModelError
from maskwright.models.classifiers import ClassifierSpec
from maskwright.models.presets import PRESETS
from maskwright.models.specs import DetectorSpec, NetworkSpec, SegmenterSpec

_MOST = 8192  # channels, or whatever else a number counts
_MOST_WEIGHTS = 2**28  # of 3x3 convolutions as wide as a list of widths
_MOST_ITEMS = 64
_MOST_TEXT = 100
_START = frozenset({"weights", "seed", "synchronized", "penalty"})
"""What matters while a network learns, or names files."""


BUILDERS: Mapping[str, Callable[..., keras.Model | NetworkSpec]] = {
    SEGMENTER: SegmenterSpec,
    "detector": DetectorSpec,
    "classifier": ClassifierSpec,
    **PRESETS,
}
"""Values or functions that build a network, by the name that files have for them."""


@dataclass(frozen=True)
class Blueprint:
    """Function that builds a network, and what to call it with.

    Args:
        builder: One of `BUILDERS`.
        arguments: Numbers, texts, and lists and mappings of them, by name.
        start: Arguments that matter only while the network learns, and that no file holds: weights
            to start from, seed, synchronized, penalty.

    Raises:
        ModelError: If there is no such function or argument, or a value is of another kind or
            beyond all measure.
    """

    builder: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    start: Mapping[str, Any] = field(default_factory=dict, compare=False)

    def __post_init__(self) -> None:
        if self.builder not in BUILDERS:
            raise ModelError(
                f"Expected a network of {', '.join(BUILDERS)}; received {self.builder!r}: the file "
                f"is from another version, or not a model of Maskwright."
            )
        known = signature(BUILDERS[self.builder]).parameters
        allowed = {name for name in known if name not in _START}
        if unknown := sorted(set(self.arguments) - allowed):
            raise ModelError(f"The network {self.builder} has no argument {', '.join(unknown)}.")
        needed = {n for n, p in known.items() if p.default is Parameter.empty and n in allowed}
        if missing := sorted(needed - set(self.arguments)):
            raise ModelError(
                f"The network {self.builder} requires the argument {', '.join(missing)}."
            )
        for name, value in self.arguments.items():
            _check(name, value)

    def build(self) -> keras.Model:
        """The network, with weights that it starts from."""
        arguments = {name: _tuples(value) for name, value in self.arguments.items()}
        built = BUILDERS[self.builder](**arguments, **self.start)
        return built.build() if isinstance(built, NetworkSpec) else built

    def to_json(self) -> str:
        """JSON text that `from_json` reads back."""
        values = {"builder": self.builder, "arguments": dict(self.arguments)}
        return json.dumps(values, indent=2) + "\n"

    @classmethod
    def from_json(cls, text: str) -> "Blueprint":
        """Blueprint from JSON; `ModelError` for anything else."""
        try:
            values = json.loads(text)
            builder, arguments = values["builder"], values["arguments"]
            right = isinstance(builder, str) and isinstance(arguments, dict)
        except (ValueError, KeyError, TypeError):
            right = False
        if not right:
            raise ModelError(
                "Invalid network description: expected JSON with `builder` and arguments."
            )
        return cls(builder, arguments)


def _check(name: str, value: Any, depth: int = 0) -> None:
    """Refuse what no network has: texts like files, endless lists, numbers beyond all measure."""
    if value is None or isinstance(value, bool):
        return
    if isinstance(value, int | float):
        # The range of pixels may be that of any sensor.
        if name == "pixel_range" or abs(value) <= _MOST:
            return
        raise ModelError(
            f"Invalid network description: expected `{name}` up to {_MOST:,}; received {value:,}."
        )
    if isinstance(value, str):
        if len(value) <= _MOST_TEXT and "/" not in value and "\\" not in value:
            return
        raise ModelError(
            f"Invalid network description: `{name}` is not a name: {value[:_MOST_TEXT]!r}."
        )
    if isinstance(value, list | tuple | dict) and len(value) <= _MOST_ITEMS and depth < 3:
        for key in value if isinstance(value, dict) else ():
            _check(name, key, depth + 1)
        for item in value.values() if isinstance(value, dict) else value:
            _check(name, item, depth + 1)
        if not isinstance(value, dict) and name != "pixel_range":
            _check_widths(name, value)
        return
    raise ModelError(
        f"Invalid network description: `{name}` cannot be {str(value)[:_MOST_TEXT]!r}."
    )


def _check_widths(name: str, values: Sequence[Any]) -> None:
    numbers = [value for value in values if isinstance(value, int | float)]
    if 9 * sum(value**2 for value in numbers) > _MOST_WEIGHTS:
        raise ModelError(
            f"Invalid network description: `{name}`, {', '.join(map(str, numbers))[:_MOST_TEXT]}, "
            f"exceeds the limit of {_MOST_WEIGHTS / 1e6:.0f} million parameters."
        )


def _tuples(value: Any) -> Any:
    """Lists as tuples, and numbers for keys that were such: JSON has neither."""
    if isinstance(value, list | tuple):
        return tuple(_tuples(item) for item in value)
    if isinstance(value, dict):
        return {
            int(key) if isinstance(key, str) and key.isdecimal() else key: _tuples(item)
            for key, item in value.items()
        }
    return value
