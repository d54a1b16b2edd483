"""How a network is built, as plain values: what a file may say of it, and nothing more."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from inspect import Parameter, signature
from pathlib import Path
from typing import Any

import keras

from maskwright.architectures import ARCHITECTURES, SEGMENTER
from maskwright.errors import ConfigError, ModelError
from maskwright.models.classifiers import ClassifierSpec
from maskwright.models.condinst import CondInstSpec
from maskwright.models.keras_network import check_configuration, configuration, keras_network
from maskwright.models.presets import plain_unet, small, tutorial_unet
from maskwright.models.rcnn import DetectorSpec
from maskwright.models.segmenter import NetworkSpec, SegmenterSpec

_MOST = 8192  # channels, or whatever else a number counts
_MOST_WEIGHTS = 2**28  # of 3x3 convolutions as wide as a list of widths
_MOST_ITEMS = 64
_MOST_TEXT = 100
_START = frozenset({"weights", "seed", "synchronized", "penalty"})
"""What matters while a network learns, or names files."""

BUILDERS: Mapping[str, Callable[..., keras.Model | NetworkSpec]] = {
    SEGMENTER: SegmenterSpec,
    "condinst": CondInstSpec,
    "detector": DetectorSpec,
    "classifier": ClassifierSpec,
    "plain_unet": plain_unet,
    "tutorial_unet": tutorial_unet,
    "small": small,
    "keras": keras_network,
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
        if unknown := sorted(self.arguments.keys() - (known.keys() - _START)):
            raise ModelError(f"The network {self.builder} has no argument {', '.join(unknown)}.")
        needed = {name for name, p in known.items() if p.default is Parameter.empty}
        if missing := sorted(needed - self.arguments.keys()):
            raise ModelError(
                f"The network {self.builder} requires the argument {', '.join(missing)}."
            )
        if BUILDERS[self.builder] is keras_network:
            check_configuration(self.arguments["layers"])
            return
        for name, value in self.arguments.items():
            _check(name, value)

    def build(self) -> keras.Model:
        """The network, with weights that it starts from."""
        if BUILDERS[self.builder] is keras_network:
            return keras_network(**self.arguments)
        arguments = {name: _tuples(value) for name, value in self.arguments.items()}
        return _build(self.builder, {**arguments, **self.start})

    def to_json(self) -> str:
        """JSON text that `from_json` reads back."""
        values = {"builder": self.builder, "arguments": dict(self.arguments)}
        return json.dumps(values, indent=2) + "\n"

    @classmethod
    def of_model(cls, model: keras.Model) -> "Blueprint":
        """Blueprint of a model built in Keras elsewhere; `ConfigError` if a file cannot hold it."""
        return cls("keras", {"layers": configuration(model)})

    @classmethod
    def from_json(cls, text: str | bytes) -> "Blueprint":
        """Blueprint from JSON; `ModelError` for anything else."""
        try:
            values = json.loads(text)
        except (ValueError, RecursionError):
            values = None
        match values:
            case {"builder": str(builder), "arguments": dict(arguments)}:
                return cls(builder, arguments)
        raise ModelError("Invalid network description: expected JSON with `builder` and arguments.")


def architecture(
    name: str,
    num_classes: int,
    *,
    channels: int = 3,
    pixel_range: tuple[float, float] = (0.0, 255.0),
    weights: str | Path | None = None,
    encoder_name: str | None = None,
    deep_supervision: bool = False,
) -> keras.Model:
    """A published network.

    Args:
        name: One of `ARCHITECTURES`.
        num_classes: Channels of the logits.
        pixel_range: Values that stand for black and white.
        weights: Initial weights of the encoder; see `encoder`.
        encoder_name: Another encoder than the published one.
        deep_supervision: Add the logits of auxiliary heads; see `segmenter`.

    Raises:
        ConfigError: If there is no such network, or it cannot be changed so.
    """
    if name not in ARCHITECTURES:
        raise ConfigError(f"Expected one of {', '.join(ARCHITECTURES)}; received {name!r}.")
    chosen = ARCHITECTURES[name]
    options: dict[str, Any] = {
        "weights": weights,
        "encoder_name": encoder_name,
        "deep_supervision": deep_supervision or None,
    }
    changes = {option: value for option, value in options.items() if value is not None}
    if unknown := changes.keys() - signature(BUILDERS[chosen.builder]).parameters.keys():
        raise ConfigError(f"{name} has no argument {', '.join(sorted(unknown))}; leave it out.")
    shape = {"num_classes": num_classes, "channels": channels, "pixel_range": pixel_range}
    return _build(chosen.builder, {**chosen.builder_arguments(), **shape, **changes})


def _build(builder: str, arguments: Mapping[str, Any]) -> keras.Model:
    built = BUILDERS[builder](**arguments)
    return built.build() if isinstance(built, NetworkSpec) else built


def _check(name: str, value: Any, depth: int = 0) -> None:
    """Refuse what no network has: texts like files, endless lists, numbers beyond all measure."""
    problem = f"`{name}` cannot be {str(value)[:_MOST_TEXT]!r}"
    match value:
        case None | bool():
            return
        case int() | float():
            # The range of pixels may be that of any sensor.
            if name == "pixel_range" or abs(value) <= _MOST:
                return
            problem = f"expected `{name}` up to {_MOST:,}; received {value:,}"
        case str():
            if len(value) <= _MOST_TEXT and "/" not in value and "\\" not in value:
                return
            problem = f"`{name}` is not a name: {value[:_MOST_TEXT]!r}"
        case list() | tuple() | dict() if len(value) <= _MOST_ITEMS and depth < 3:
            for item in (*value, *value.values()) if isinstance(value, dict) else value:
                _check(name, item, depth + 1)
            widths = [item for item in value if isinstance(item, int | float)]
            if isinstance(value, dict) or name == "pixel_range":
                return
            if 9 * sum(width**2 for width in widths) <= _MOST_WEIGHTS:
                return
            problem = (
                f"`{name}`, {', '.join(map(str, widths))[:_MOST_TEXT]}, exceeds the limit of "
                f"{_MOST_WEIGHTS / 1e6:.0f} million parameters"
            )
    raise ModelError(f"Invalid network description: {problem}.")


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
