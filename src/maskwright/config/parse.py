"""Read settings from a YAML file and from `KEY=VALUE`; errors are one sentence."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from maskwright.config.base import RunConfig
from maskwright.config.effects import refuse_unused
from maskwright.config.regions import RegionConfig
from maskwright.config.segmentation import TrainConfig
from maskwright.config.starting import with_network
from maskwright.errors import ConfigError
from maskwright.imageio import parse_yaml, read_yaml

_MAIN_PARAMETER = {"augmentation": "strength", "detector": "profile"}
"""Parameter that a single word sets, by setting: `detector=paper` sets its profile."""

_REPLACED = {"tensorboard": "track: leave it out, or write track: tensorboard"}
"""Settings of earlier runs, and what took their place."""

_MOST_SHOWN = 100  # characters of a wrong value

_EXPECTED = {
    "tuple_type": "expected a list",
    "dict_type": "expected names with values",
    "too_short": "expected at least one value",
    "float_parsing": "expected a number",
    "int_parsing": "expected a whole number",
    "int_from_float": "expected a whole number",
    "bool_parsing": "expected true or false",
}
"""What a value must be, by the type of an error of pydantic."""

Config = TypeVar("Config", bound=RunConfig)


def read_config(plan: str | Path | None, settings: Mapping[str, Any], kind: type[Config]) -> Config:
    """Read settings from a file and override them.

    Args:
        plan: YAML file of settings, or `None` for the defaults.
        settings: Override those of the file, as `given_settings` gives them.

    Raises:
        ConfigError: If the file cannot be read, a key does not exist, or a value is out of range,
            or a setting has no effect beside the others.
    """
    values: dict[str, Any] = {}
    settings = given_settings(settings)
    if plan is not None:
        if not isinstance(plan, str | Path):
            raise ConfigError(
                f"Expected a file of settings as the plan, received a {type(plan).__name__}; pass "
                f"settings as arguments of their own."
            )
        values = read_yaml(plan) or {}
        if not isinstance(values, dict) or not all(isinstance(key, str) for key in values):
            raise ConfigError(f"Expected lines of `key: value` in the settings file {plan}.")
        unknown = values.keys() - kind.model_fields.keys()
        for other in (TrainConfig, RegionConfig):
            if unknown and values.keys() <= other.model_fields.keys():
                raise ConfigError(
                    f"{plan} holds settings of `{other.command}`; expected settings of "
                    f"`{kind.command}`: pass another file, or use `{other.command}`."
                )
        if {"epochs", "minutes"} & settings.keys():
            values.pop("epochs", None)
            values.pop("minutes", None)
    try:
        config = kind(**with_network({**values, **settings}))
    except ValidationError as error:
        raise ConfigError(_sentence(error, kind.command)) from None
    refuse_unused(config, settings)
    return config


def given_settings(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings without a budget of `None`, which leaves that of the plan as it is."""
    return {k: v for k, v in settings.items() if v is not None or k not in ("epochs", "minutes")}


def parse_settings(pairs: Sequence[str]) -> dict[str, Any]:
    """Parse texts of `KEY=VALUE`, with values in YAML; `none` means no value.

    `a.b=1` sets the parameter `b` of the setting `a`, as in `augmentation.rotate_degrees=10`.

    Raises:
        ConfigError: If a text has no `=`.
    """
    settings: dict[str, Any] = {}
    for pair in pairs:
        key, equals, text = pair.partition("=")
        if not equals:
            raise ConfigError(f"Expected --set KEY=VALUE; received {pair!r}.")
        try:
            value = None if text.lower() == "none" else parse_yaml(text)
        except ConfigError:
            value = text
        if isinstance(value, str) and re.fullmatch(r"[-+]?\d+(\.\d*)?[eE][-+]?\d+", value):
            value = float(value)  # YAML reads 4e-3 as text; only 4.0e-3 is a number
        key, _, parameter = key.partition(".")
        if parameter:
            parameters = settings.setdefault(key, {})
            if not isinstance(parameters, dict):
                parameters = settings[key] = {_MAIN_PARAMETER.get(key, "strength"): parameters}
            parameters[parameter] = value
        else:
            settings[key] = value
    return settings


def _sentence(error: ValidationError, command: str) -> str:
    """All errors of a validation in one sentence."""
    problems: dict[str, str] = {}
    hint = ""
    for detail in error.errors():
        key = ".".join(str(part) for part in detail["loc"][:1])
        if detail["type"] == "extra_forbidden":
            replaced = f"{key} has become {_REPLACED[key]}" if key in _REPLACED else ""
            problems[key] = replaced or f"there is no setting {key}"
            hint = f"; `{command} --settings` lists all settings"
            continue
        expected = _EXPECTED.get(detail["type"], detail["msg"].removeprefix("Value error, "))
        if key in problems:  # of one of several types
            problems[key] = f"{problems[key].removesuffix(')')}, or {expected.lower()})"
        elif key:
            given = f"{detail['input']!r}"
            given = given if len(given) <= _MOST_SHOWN else f"{given[:_MOST_SHOWN]}…"
            problems[key] = f"{key} cannot be {given} ({expected.lower()})"
        else:
            problems[expected] = expected
    return f"Invalid settings: {'; '.join(problems.values())}{hint}."
