"""Settings read from a file and from `KEY=VALUE`, and told of in one sentence where wrong."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import ValidationError

from maskwright.config.base import RunConfig
from maskwright.config.regions import RegionConfig
from maskwright.config.segmentation import TrainConfig
from maskwright.errors import ConfigError

_WHOLE = {"augmentation": "strength", "detector": "profile"}
"""What a single word for a setting of several parts stands for."""

Config = TypeVar("Config", bound=RunConfig)


def read_config(
    plan: str | Path | None,
    settings: Mapping[str, Any],
    kind: type[Config],
) -> Config:
    """Settings of a file, overridden by `settings`, as a `kind` of run has them.

    Raises:
        ConfigError: If the file cannot be read, a key does not exist, or a value is out of range.
    """
    values: dict[str, Any] = {}
    if plan is not None:
        try:
            values = yaml.safe_load(Path(plan).read_text(encoding="utf-8")) or {}
        except (OSError, yaml.YAMLError) as error:
            raise ConfigError(f"The settings in {plan} cannot be read ({error}).") from None
        if not isinstance(values, dict):
            raise ConfigError(f"Expected settings as `key: value` in {plan}.")
        unknown = values.keys() - kind.model_fields.keys()
        for other in (TrainConfig, RegionConfig):
            if unknown and values.keys() <= other.model_fields.keys():
                raise ConfigError(
                    f"{plan} holds settings of `{other.command}`; expected those of "
                    f"`{kind.command}`: name another run, or use the command for this one."
                )
        if {"epochs", "minutes"} & settings.keys():
            values.pop("epochs", None)
            values.pop("minutes", None)
    try:
        return kind(**{**values, **settings})
    except ValidationError as error:
        raise ConfigError(_sentence(error, kind.command)) from None


def given_settings(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings without a budget of `None`, which leaves that of the plan as it is."""
    return {k: v for k, v in settings.items() if v is not None or k not in ("epochs", "minutes")}


def parse_settings(pairs: Sequence[str]) -> dict[str, Any]:
    """Values of `KEY=VALUE` texts, each value read as YAML; `none` means no value.

    `a.b=1` sets `b` within `a`, as in `augmentation.rotate_degrees=10`.

    Raises:
        ConfigError: If a text has no `=`.
    """
    settings: dict[str, Any] = {}
    for pair in pairs:
        key, equals, text = pair.partition("=")
        if not equals:
            raise ConfigError(f"Expected --set KEY=VALUE, received {pair!r}.")
        try:
            value = None if text.lower() == "none" else yaml.safe_load(text)
        except yaml.YAMLError:
            value = text
        if isinstance(value, str) and re.fullmatch(r"[-+]?\d+(\.\d*)?[eE][-+]?\d+", value):
            value = float(value)  # YAML wants 4.0e-3 where people write 4e-3
        key, _, inner = key.partition(".")
        if inner:
            within = settings.setdefault(key, {})
            if not isinstance(within, dict):
                within = settings[key] = {_WHOLE.get(key, "strength"): within}
            within[inner] = value
        else:
            settings[key] = value
    return settings


def _sentence(error: ValidationError, command: str) -> str:
    """All that pydantic found, in one sentence."""
    told = []
    hint = ""
    for found in error.errors():
        place = ".".join(str(part) for part in found["loc"][:1])
        if found["type"] == "extra_forbidden":
            told.append(f"there is no setting {place}")
            hint = f"; `{command} --settings` lists all settings"
        elif place:
            told.append(f"{place} cannot be {found['input']!r} ({found['msg'].lower()})")
        else:
            told.append(found["msg"].removeprefix("Value error, "))
    return "Settings cannot be used: " + "; ".join(dict.fromkeys(told)) + hint + "."
