"""`compare_recipes`: the settings of two runs, each trained with several seeds, and compared."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from maskwright.api.models import comparison_folder, evaluate
from maskwright.api.train import train
from maskwright.arguments import checked
from maskwright.errors import ConfigError, ModelError
from maskwright.evaluation.reports.formatting import number, plain, span, write_json
from maskwright.imageio import check_start, lock_folder
from maskwright.metrics.paired import verdict
from maskwright.metrics.recipes import RecipeDifference, recipe_difference
from maskwright.model_card import MultilabelCard, SemanticCard
from maskwright.tasks.registry import require_task, task_of
from maskwright.tasks.semantic.evaluation.scores import background_of
from maskwright.types import OnMessage, show_alert

RECIPES_FILE = "recipes.json"
"""Name of the scores of a comparison of recipes, in its folder."""


@dataclass(frozen=True, eq=False)
class RecipeComparison:
    """Two recipes, and what the models of several seeds make of the same images.

    Args:
        folder: With `a/seed1`, `b/seed1` and so on, each a run, and `recipes.json`.
        seeds: Of the training, the same for both.
        table: What `recipes.json` holds.
    """

    folder: Path
    seeds: tuple[int, ...]
    difference: RecipeDifference
    table: dict[str, Any]

    def __str__(self) -> str:
        """The result in a sentence."""
        found, ends = self.difference, span(self.difference.ends, signed=True)
        return (
            f"Foreground Dice over {len(self.seeds)} seeds: A {number(found.a.mean())}, B "
            f"{number(found.b.mean())}; A - B {number(found.gain, signed=True)}"
            f"{f', 95 % {ends}' if ends else ', no interval'}: {self.table['verdict']}."
        )


@checked
def compare_recipes(
    a: str | Path,
    b: str | Path,
    data: str | Path,
    *,
    seeds: int = 3,
    split: str = "test",
    out: str | Path | None = None,
    on_message: OnMessage = show_alert,
) -> RecipeComparison:
    """Train the settings of two runs with other seeds, and test whether the recipes differ.

    Two models differ by the luck of their training, too. This trains each recipe `seeds` times, for
    as long as its run states, and compares the means in foreground Dice; the interval holds for
    other seeds and other cases. What is trained already in `out` is kept, so that the same call
    goes on where it was stopped.

    Args:
        seeds: Runs of each recipe, two or more, with the seeds 1, 2, ….
        out: Folder for the runs and `recipes.json`; `comparison/NAME_OF_B/seeds` in `a` by default.
    """
    first, second = Path(a), Path(b)
    if seeds < 2:
        raise ConfigError(f"Expected two seeds or more, for their spread; received {seeds}.")
    task = task_of(first)
    require_task(second, task.name)
    if task.name not in (SemanticCard.task, MultilabelCard.task):
        raise ConfigError(
            f"Expected two runs of masks of classes; recipes of {task.name} cannot be "
            f"compared yet: train each with several seeds, and evaluate them."
        )
    for run in (first, second):
        if not (run / "plan.yaml").is_file():
            raise ModelError(f"{run} has no plan.yaml, and so no recipe; name the folder of a run.")
    folder = Path(out) if out else comparison_folder(first, second, "seeds")
    found: dict[str, list[Any]] = {"a": [], "b": []}
    with lock_folder(folder):
        for seed in range(1, seeds + 1):
            for name, run in (("a", first), ("b", second)):
                trained = folder / name / f"seed{seed}"
                on_message(f"{run.name}, seed {seed} …")
                _train(data, trained, run / "plan.yaml", seed, on_message)
                result = evaluate(trained, data, split=split, examples=0, on_message=on_message)
                found[name].append(result)
        return _compare(found, (str(a), str(b)), split, folder)


def _train(data: str | Path, run: Path, plan: Path, seed: int, on_message: OnMessage) -> None:
    from maskwright.training import Run

    if Run(run).is_finished():
        return
    if (run / "plan.yaml").exists():
        check_start(run, {"plan.yaml": "run"}, resume=True)
        train(data, run, resume=True, on_message=on_message)
    else:
        train(data, run, plan=plan, seed=seed, previews=0, on_message=on_message)


def _compare(
    found: dict[str, list[Any]], names: tuple[str, str], split: str, folder: Path
) -> RecipeComparison:
    everyone = [*found["a"], *found["b"]]
    ids = [[sample.id for sample in result.samples] for result in everyone]
    shared = [name for name in ids[0] if all(name in other for other in ids)]
    if not shared:
        raise ConfigError(
            f"{' and '.join(names)} divide the data differently, and no image is in the split "
            f"{split!r} for all; train both with the same shares, split_seed and group_by."
        )
    tallies = {
        name: np.stack(
            [
                result.tallies[[[s.id for s in result.samples].index(one) for one in shared]]
                for result in results
            ]
        )
        for name, results in found.items()
    }
    first = everyone[0]
    place = {sample.id: sample.together for sample in first.samples}
    cases = [place[name] for name in shared]
    difference = recipe_difference(tallies["a"], tallies["b"], cases, background_of(first.card))
    table = {
        "a": names[0],
        "b": names[1],
        "score": "foreground_dice",
        "split": split,
        "images": len(shared),
        "cases": len(set(cases)),
        "seeds": list(range(1, len(found["a"]) + 1)),
        "a_by_seed": plain(difference.a),
        "b_by_seed": plain(difference.b),
        "difference": plain(difference.gain),
        "interval": plain(difference.ends),
        "error_from_cases": plain(difference.from_cases),
        "error_from_seeds": plain(difference.from_seeds),
        "verdict": verdict(difference.sign),
    }
    write_json(table, folder / RECIPES_FILE)
    return RecipeComparison(folder, tuple(table["seeds"]), difference, table)
