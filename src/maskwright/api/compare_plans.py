"""`compare_plans`: several plans on the same folds for equal times, and the one to take."""

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Unpack

from maskwright.api.cross_validation import cross_validate, is_cross_validation
from maskwright.api.fold_scores import Folds
from maskwright.api.plan import plan as make_plan
from maskwright.api.plan_choice import CHOICE_FILE, PlanChoice, choose_plan
from maskwright.arguments import checked
from maskwright.config import TrainConfig, read_config
from maskwright.config.typed import PlanSettings
from maskwright.errors import ConfigError
from maskwright.evaluation.reports.formatting import write_json
from maskwright.imageio import check_start, dump_yaml, write_text
from maskwright.planning import Plan, candidates
from maskwright.types import OnMessage, show_alert

AnyPlan = Plan | Mapping[str, Any] | str | Path
"""A plan, settings by name, or a file of settings."""

_HOLDS = {CHOICE_FILE: "comparison of plans"}


class ComparisonSettings(PlanSettings, total=False):
    """Settings that all plans share, and the address of a Ray cluster to train on."""

    cluster: str | None


@checked
def plan_and_compare(
    data: str | Path,
    out: str | Path,
    *,
    count: int = 3,
    folds: int = 3,
    minutes: float = 60.0,
    measure: bool = True,
    resume: bool = False,
    on_message: OnMessage = show_alert,
    **settings: Unpack[ComparisonSettings],
) -> PlanChoice:
    """Plan a data set, and compare the plan with rivals that differ from it in one thing each.

    Args:
        count: Plans, the first included.
        minutes: To train for, all plans and folds together; each plan is made for its part.
        settings: Those that all plans share, and `cluster`, as for `compare_plans`.
    """
    cluster = settings.pop("cluster", None)
    shared: PlanSettings = settings  # without `cluster`
    if resume:
        return compare_plans(data, out, None, resume=True, cluster=cluster, on_message=on_message)
    check_start(Path(out), _HOLDS)
    part = minutes / count / folds
    first = make_plan(data, minutes=part, measure=measure, on_message=on_message, **shared)
    plans = [first, *candidates(first, count)]
    return compare_plans(
        *(data, out, plans), folds=folds, minutes=minutes, cluster=cluster, on_message=on_message
    )


@checked
def compare_plans(
    data: str | Path,
    out: str | Path,
    plans: Sequence[AnyPlan] | Mapping[str, AnyPlan] | None,
    *,
    folds: int = 3,
    minutes: float = 60.0,
    resume: bool = False,
    cluster: str | None = None,
    on_message: OnMessage = show_alert,
) -> PlanChoice:
    """Cross-validate several plans on the same folds for equal minutes, and take one of them.

    A plan takes the place of an earlier one only where the paired interval of its gain in mean
    Dice lies above 0, on images that no model saw; all intervals hold together. Put the simplest
    first: it stays where no difference is shown.

    Args:
        out: Folder for `plans/NAME`, each a cross-validation, `choice.json`, and `plan.yaml`, the
            one to take, with the reason as a comment.
        plans: Two or more, with names or without.
        minutes: To train for, all plans and folds together.
        resume: Go on with the comparison in `out`; plans, folds and minutes given are ignored.
        cluster: Address of a Ray cluster on which the folds of a plan train at once, `"local"` for
            one on this machine; `None` trains one after the other.
    """
    out = Path(out)
    check_start(out, _HOLDS, resume)
    if resume:
        begun = json.loads((out / CHOICE_FILE).read_text(encoding="utf-8"))
        folds, minutes = begun["folds"], begun["minutes"]
    else:
        texts = _plan_texts(_name_plans(plans))
        for name, text in texts.items():
            write_text(out / "plans" / f"{name}.yaml", text)
        begun = {"chosen": None, "names": list(texts), "folds": folds, "minutes": minutes}
        write_json(begun, out / CHOICE_FILE)
    files = {name: out / "plans" / f"{name}.yaml" for name in begun["names"]}
    each = minutes / len(files)
    results: dict[str, Folds] = {}
    for name, file in files.items():
        on_message(f"Plan {name}: {each:.3g} minutes on {folds} folds …")
        folder = out / "plans" / name
        results[name] = cross_validate(
            *(data, folder),
            folds=folds,
            plan=file,
            minutes=each,
            resume=is_cross_validation(folder),
            cluster=cluster,
            on_message=on_message,
        )
    return choose_plan(out, results, files, folds, each)


def _name_plans(plans: Any) -> dict[str, AnyPlan]:
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
    if not isinstance(plan, Mapping | str | Path):
        raise ConfigError(
            f"Expected plans as files, settings by name, or what `plan` gives; received a "
            f"{type(plan).__name__}."
        )
    return f"plan{place}" if isinstance(plan, Mapping) else Path(plan).stem


def _plan_texts(named: Mapping[str, AnyPlan]) -> dict[str, str]:
    """A file of settings for each plan, all of them good and dividing the data alike."""
    texts: dict[str, str] = {}
    division: dict[str, Any] | None = None
    for name, plan in named.items():
        if isinstance(plan, Plan):
            config = read_config(None, plan.settings, TrainConfig)
            texts[name] = plan.to_yaml()
        elif isinstance(plan, Mapping):
            config = read_config(None, plan, TrainConfig)
            stated = config.model_dump(mode="json", include=set(plan))
            texts[name] = dump_yaml(stated)
        else:
            config = read_config(plan, {}, TrainConfig)
            texts[name] = Path(plan).read_text(encoding="utf-8")
        if config.division() != (division or config.division()):
            raise ConfigError(
                f"Expected plans that divide the data alike; {name} differs from "
                f"{next(iter(named))} in one of {', '.join(config.division())}."
            )
        division = config.division()
    return texts
