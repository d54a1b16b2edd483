"""Plans that are compared: their names, and the files of their settings."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from maskwright.config import TrainConfig, read_config
from maskwright.errors import ConfigError
from maskwright.planning import Plan

AnyPlan = Plan | Mapping[str, Any] | str | Path
"""A plan, settings by name, or a file of settings."""


def name_plans(plans: Any) -> dict[str, AnyPlan]:
    """Plans by names that are usable as those of folders."""
    if isinstance(plans, Mapping):
        named = [(str(name), plan) for name, plan in plans.items()]
    else:
        named = [(_name(plan, place), plan) for place, plan in enumerate(plans or (), start=1)]
    usable = [(re.sub(r"[^\w.+-]+", "-", name).strip("-."), plan) for name, plan in named]
    by_name = dict(usable)
    if len(by_name) < max(len(usable), 2):
        raise ConfigError(
            f"Expected two or more plans with different names; received "
            f"{', '.join(name for name, _ in usable) or 'none'}."
        )
    return by_name


def _name(plan: AnyPlan, place: int) -> str:
    if isinstance(plan, Plan):
        return plan.name
    return f"plan{place}" if isinstance(plan, Mapping) else Path(plan).stem


def plan_texts(named: Mapping[str, AnyPlan]) -> dict[str, str]:
    """A file of settings for each plan, all of them good and dividing the data alike."""
    texts: dict[str, str] = {}
    division: dict[str, Any] | None = None
    for name, plan in named.items():
        if isinstance(plan, Plan):
            config = read_config(None, plan.settings, TrainConfig)
            texts[name] = plan.to_yaml()
        elif isinstance(plan, Mapping):
            config = read_config(None, plan, TrainConfig)
            given = config.model_dump(mode="json", include=set(plan))
            texts[name] = yaml.safe_dump(given, sort_keys=False)
        else:
            config = read_config(plan, {}, TrainConfig)
            texts[name] = Path(plan).read_text(encoding="utf-8")
        if division is not None and config.division() != division:
            raise ConfigError(
                f"Expected plans that divide the data alike; {name} differs from "
                f"{next(iter(named))} in one of {', '.join(division)}."
            )
        division = config.division()
    return texts
