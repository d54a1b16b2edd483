"""`compare_plans`: several plans on the same folds for equal times, and the one to take."""

import json
import re
import textwrap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import yaml

from maskwright.api.cross_validation import Folds, cross_validate, is_cross_validation
from maskwright.api.plans import plan as make_plan
from maskwright.config import TrainConfig, read_config
from maskwright.errors import ConfigError, DataError
from maskwright.imageio import atomic_write
from maskwright.planning import Plan, candidates

if TYPE_CHECKING:
    from maskwright.metrics import Paired

CHOICE_FILE = "choice.json"
"""Name of the scores of all plans, in the folder of a comparison."""

AnyPlan = Plan | Mapping[str, Any] | str | Path
"""A plan as `maskwright.plan` gives it, settings, or a file of them."""

_SCORE = "mean_dice"
_COLUMNS = 100


@dataclass(frozen=True, eq=False)
class PlanChoice:
    """Several plans, what their models make of images they never saw, and the one to take.

    Args:
        folder: With `plans/NAME`, `choice.json` and `plan.yaml`.
        folds: Cross-validation of each plan, by its name.
        chosen: Name of the one to take.
        reason: Sentence on why.
        table: What `choice.json` holds.
    """

    folder: Path
    folds: Mapping[str, Folds]
    chosen: str
    reason: str
    table: Mapping[str, Any]


def plan_and_compare(
    data: str | Path,
    out: str | Path,
    *,
    count: int = 3,
    folds: int = 3,
    minutes: float = 60.0,
    measure: bool = True,
    resume: bool = False,
    on_message: Callable[[str], None] = lambda _: None,
    **settings: Any,
) -> PlanChoice:
    """Plan a data set, and compare the plan with rivals that differ from it in one thing each.

    Args:
        data: What `open_dataset` takes.
        out: As in `compare_plans`.
        count: Plans, the first included.
        folds: That all plans share.
        minutes: To train for, all plans and folds together; each plan is made for its part.
        measure: As in `maskwright.plan`.
        resume: Go on with a comparison that was stopped, with the plans that it has.
        on_message: Called with sentences on what is done.
        settings: Fields of `TrainConfig` that are decided already.

    Raises:
        MaskwrightError: One sentence on what is wrong and what to do.
    """
    if resume:
        return compare_plans(data, out, None, resume=True, on_message=on_message)
    _refuse_other(Path(out))
    part = minutes / count / folds
    first = make_plan(data, minutes=part, measure=measure, on_message=on_message, **settings)
    plans = [first, *candidates(first, count)]
    return compare_plans(data, out, plans, folds=folds, minutes=minutes, on_message=on_message)


def compare_plans(
    data: str | Path,
    out: str | Path,
    plans: Sequence[AnyPlan] | Mapping[str, AnyPlan] | None,
    *,
    folds: int = 3,
    minutes: float = 60.0,
    resume: bool = False,
    on_message: Callable[[str], None] = lambda _: None,
) -> PlanChoice:
    """Cross-validate several plans on the same folds for equal minutes, and take one of them.

    A plan takes the place of an earlier one only where the paired interval of its gain in mean
    Dice lies above 0, on images that no model saw; all intervals hold together. Put the simplest
    first: it stays where no difference is shown.

    Args:
        data: What `open_dataset` takes.
        out: Folder for `plans/NAME`, each a cross-validation, `choice.json`, and `plan.yaml`, the
            one to take, with the reason as a comment.
        plans: Two or more, with names or without.
        folds: That all plans share.
        minutes: To train for, all plans and folds together.
        resume: Go on with a comparison that was stopped, with the plans, folds and minutes that it
            was begun with; those given are not looked at.
        on_message: Called with sentences on what is done.

    Raises:
        MaskwrightError: One sentence on what is wrong and what to do.
    """
    out = Path(out)
    names, folds, minutes = _begun(out) if resume else _begin(out, plans, folds, minutes)
    files = {name: out / "plans" / f"{name}.yaml" for name in names}
    each = minutes / len(files)
    found: dict[str, Folds] = {}
    for name, file in files.items():
        on_message(f"Plan {name}: {each:.3g} minutes on {folds} folds …")
        folder = out / "plans" / name
        begun = is_cross_validation(folder)
        found[name] = cross_validate(
            *(data, folder),
            folds=folds,
            plan=file,
            minutes=each,
            resume=begun,
            on_message=on_message,
        )
    return _choose(out, found, files, folds, each)


def _begin(out: Path, plans: Any, folds: int, minutes: float) -> tuple[list[str], int, float]:
    """Write a file for each plan, and what is compared, once all plans are known to be good."""
    from maskwright.evaluation.reports.formatting import write_json

    _refuse_other(out)
    texts = _texts(_named(plans))
    for name, text in texts.items():
        with atomic_write(out / "plans" / f"{name}.yaml") as beside:
            beside.write_text(text, encoding="utf-8")
    begun = {"chosen": None, "names": list(texts), "folds": folds, "minutes": minutes}
    write_json(begun, out / CHOICE_FILE)
    return list(texts), folds, minutes


def _begun(out: Path) -> tuple[list[str], int, float]:
    if not (out / CHOICE_FILE).is_file():
        raise ConfigError(f"There is no comparison of plans to resume in {out}.")
    begun = json.loads((out / CHOICE_FILE).read_text(encoding="utf-8"))
    return begun["names"], begun["folds"], begun["minutes"]


def _refuse_other(out: Path) -> None:
    if (out / CHOICE_FILE).exists():
        raise ConfigError(
            f"{out} already holds a comparison of plans; continue it with --resume, or name "
            f"another folder."
        )


def _choose(
    out: Path, found: Mapping[str, Folds], files: Mapping[str, Path], folds: int, minutes: float
) -> PlanChoice:
    """Compare all pairs, take one, write it down."""
    from maskwright.evaluation.reports.formatting import number, span, write_json
    from maskwright.metrics import sign_shown

    pairs = _pairs(found)
    names = list(found)
    chosen = names[0]
    for rival in names[1:]:
        if sign_shown(getattr(pairs[chosen, rival].ends, _SCORE)) < 0:
            chosen = rival
    reason = _reason(names, chosen, pairs)
    told = []
    for name, one in found.items():
        total, ends = one.out_of_fold.total, one.out_of_fold.intervals
        ends_told = span(getattr(ends, _SCORE)) or "no interval"
        told.append(f"{name}: {number(getattr(total, _SCORE))} ({ends_told})")
    heading = (
        f"Chosen of {len(names)} plans, each trained for {minutes:.3g} minutes on the same {folds} "
        f"folds, by mean Dice (95 % interval) on images that the models never saw:"
    )
    comment = "\n".join(_comment(line) for line in (heading, *told, reason))
    with atomic_write(out / "plan.yaml") as beside:
        text = files[chosen].read_text(encoding="utf-8")
        beside.write_text(f"{comment}\n\n{text}", encoding="utf-8")
    table = _table(found, pairs, chosen, reason, folds, minutes)
    write_json(table, out / CHOICE_FILE)
    return PlanChoice(out, found, chosen, reason, table)


def _named(plans: Any) -> dict[str, AnyPlan]:
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


def _texts(named: Mapping[str, AnyPlan]) -> dict[str, str]:
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


def _pairs(found: Mapping[str, Folds]) -> dict[tuple[str, str], "Paired"]:
    """Differences of all pairs of plans on the images that both were scored on."""
    from maskwright.metrics import paired_difference, shared_level

    level = shared_level(len(found) - 1)
    places = {
        name: {sample.id: place for place, sample in enumerate(one.out_of_fold.samples)}
        for name, one in found.items()
    }
    pairs = {}
    for first, second in combinations(found, 2):
        a, b = found[first].out_of_fold, found[second].out_of_fold
        shared = [sample for sample in a.samples if sample.id in places[second]]
        if not shared:
            raise DataError(f"No image was scored with both {first} and {second}.")
        rows = [np.array([places[name][s.id] for s in shared]) for name in (first, second)]
        cases = [sample.together for sample in shared]
        pairs[first, second] = paired_difference(
            a.tallies[rows[0]], b.tallies[rows[1]], cases, draws=2000, level=level
        )
    return pairs


def _reason(names: Sequence[str], chosen: str, pairs: Mapping[tuple[str, str], "Paired"]) -> str:
    """Sentence on why a plan is the one to take."""
    from maskwright.evaluation.reports.formatting import change, span

    first, told = names[0], []
    for rival in names[1:]:
        paired = pairs[first, rival]
        gain, ends = -getattr(paired.gain, _SCORE), -getattr(paired.ends, _SCORE)[::-1]
        width = span(ends, signed=True)
        interval = f", {100 * paired.level:.4g} % {width}" if width else ""
        told.append(f"{rival} {change(gain)}{interval}")
    against = f"Gains over {first}: {'; '.join(told)}."
    if chosen == first:
        return f"Taken: {first}, the first, because no other is shown to be better. {against}"
    return f"Taken: {chosen}, which is better than what was taken before it. {against}"


def _table(
    found: Mapping[str, Folds],
    pairs: Mapping[tuple[str, str], "Paired"],
    chosen: str,
    reason: str,
    folds: int,
    minutes: float,
) -> dict[str, Any]:
    """What `choice.json` holds."""
    from maskwright.evaluation.evaluate import MEANS
    from maskwright.evaluation.reports.formatting import plain
    from maskwright.metrics import verdict

    return {
        "chosen": chosen,
        "reason": reason,
        "score": _SCORE,
        "names": list(found),
        "folds": folds,
        "minutes": minutes * len(found),
        "plans": [
            {
                "name": name,
                "folder": f"plans/{name}",
                **{key: plain(getattr(one.out_of_fold.total, key)) for key in MEANS},
                "intervals": {key: plain(getattr(one.out_of_fold.intervals, key)) for key in MEANS},
                "images": len(one.out_of_fold.samples),
                "cases": len(set(one.out_of_fold.cases)),
            }
            for name, one in found.items()
        ],
        "pairs": [
            {
                "a": a,
                "b": b,
                "level": paired.level,
                **{
                    key: {
                        "difference": plain(getattr(paired.gain, key)),
                        "interval": plain(getattr(paired.ends, key)),
                        "verdict": verdict(getattr(paired.ends, key), a, b),
                    }
                    for key in MEANS
                },
            }
            for (a, b), paired in pairs.items()
        ],
    }


def _comment(text: str) -> str:
    return "\n".join(textwrap.wrap(text, _COLUMNS, initial_indent="# ", subsequent_indent="#   "))
