"""Scores of a cross-validation: every image by the model that never saw it, and what follows."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from maskwright.api.models import load
from maskwright.config import TrainConfig
from maskwright.data import Sample, open_dataset
from maskwright.data.cases.fingerprints import ImageHashes
from maskwright.data.splits import HELD_OUT
from maskwright.evaluation import EvaluateOptions, evaluate
from maskwright.evaluation.cases import unite_known
from maskwright.evaluation.reports.formatting import plain, write_json
from maskwright.evaluation.reports.write import to_dict, write_report
from maskwright.export.ensemble import write_ensemble
from maskwright.inference.cached_prediction import (
    CachedPrediction,
    predict_tunable,
    record,
)
from maskwright.inference.tune_postprocessing import tune_postprocessing
from maskwright.inference.tuning_result import TuningResult
from maskwright.metrics import Scores
from maskwright.tasks.paired_runs import merge_cautions
from maskwright.tasks.provenance import without_learned
from maskwright.tasks.semantic.evaluation.details.measures import pool_details
from maskwright.tasks.semantic.evaluation.report import semantic_report
from maskwright.tasks.semantic.evaluation.scorer import SemanticScorer
from maskwright.tasks.semantic.evaluation.scores import FOREGROUND, MEANS, SemanticEvaluation
from maskwright.types import OnMessage

FOLDS_FILE = "folds.json"
"""Name of the scores of a cross-validation, in its folder."""
SCRATCH = ".predictions-"
"""Begin of the name of the folder for predictions while they are scored."""
_RANKS = ("best", "median", "worst", "false alarm")
_NOTE = (
    "Every image was predicted by the one model that did not see it, neither to learn from nor to "
    "choose weights by: a fold keeps the averaged weights of its last step."
)


@dataclass(frozen=True, eq=False)
class Folds:
    """A cross-validation: a model in itself, and the scores of its members.

    Args:
        folder: Of the whole; an ensemble of the runs of the folds.
        out_of_fold: Scores of every training and validation image by the model that never saw it,
            with the threshold and cleaning of the settings; `members` holds them fold by fold.
        choice: Threshold and cleaning of the ensemble, and all that was tried for them.
    """

    folder: Path
    runs: tuple[Path, ...]
    out_of_fold: SemanticEvaluation
    members: tuple[SemanticEvaluation, ...]
    choice: TuningResult


def score_folds(
    data: str | Path, out: Path, runs: Sequence[Path], config: TrainConfig, on_message: OnMessage
) -> Folds:
    """Score what each model never saw, choose threshold and cleaning, make the ensemble."""
    members: list[SemanticEvaluation] = []
    cached: list[CachedPrediction] = []
    options = EvaluateOptions(split=HELD_OUT, examples=1)
    hashes = ImageHashes()
    with TemporaryDirectory(dir=out, prefix=SCRATCH) as folder:

        def keep(sample: Sample, _image: Any, truth: Any, prediction: Any) -> None:
            cached.append(record(prediction, truth, sample, Path(folder)))

        for number, run in enumerate(runs, start=1):
            on_message(f"Scoring fold {number} …")
            division = {**config.division(), "fold": (number, len(runs))}
            predictor = load(run)
            dataset = replace(open_dataset(data, **division), hashes=hashes)
            dataset, seen = without_learned(dataset, HELD_OUT, run)
            scorer = SemanticScorer(dataset, predictor.card, options, detailed=True)
            member = evaluate(partial(predict_tunable, predictor), scorer, [keep])
            members.append(replace(member, warnings=(*seen, *member.warnings)))
        # What lies in several folds is one case, too.
        pooled = _pool(runs, members)
        pooled = replace(pooled, samples=tuple(unite_known(dataset, pooled.samples)))
        pooled = replace(pooled, warnings=(*pooled.warnings, *pooled.case_cautions()))
        on_message("Tuning threshold and postprocessing …")
        cases = [sample.together for sample in pooled.samples]
        cached = [replace(c, case=case) for c, case in zip(cached, cases, strict=True)]
        choice = tune_postprocessing(members[0].card, cached)
    for step in choice.steps:
        on_message(step.reason)
    write_report(semantic_report(pooled), out / "evaluation" / HELD_OUT, run=out)
    write_json(choice.to_dict(), out / "postprocessing.json")
    write_json(_scores(runs, members, pooled), out / FOLDS_FILE)
    # Last: with it the folder is a model, and whole.
    write_ensemble(out, runs, choice.decisions)
    return Folds(out, tuple(runs), pooled, tuple(members), choice)


def _pool(runs: Sequence[Path], members: Sequence[SemanticEvaluation]) -> SemanticEvaluation:
    """All folds as one evaluation."""

    def joined(name: str) -> tuple[Any, ...]:
        return tuple(item for member in members for item in getattr(member, name))

    names = [run.name for run in runs]
    return replace(
        members[0],
        samples=joined("samples"),
        counts=np.sum([member.counts for member in members], axis=0),
        tallies=np.concatenate([member.tallies for member in members]),
        details=pool_details([member.details for member in members if member.details]),
        skipped=joined("skipped"),
        examples=tuple(sorted(joined("examples"), key=lambda each: _RANKS.index(each.rank))),
        warnings=merge_cautions(names, [member.warnings for member in members]),
    )


def _scores(
    runs: Sequence[Path], members: Sequence[SemanticEvaluation], pooled: SemanticEvaluation
) -> dict[str, Any]:
    """What `folds.json` holds: scores of each fold and of all, with intervals by case."""
    pooled_scores = to_dict(semantic_report(pooled))
    wanted = (
        *(*(mean.key for mean in pooled.means), "per_class", "intervals", "level"),
        *("images", "cases", "scored_at", "warnings"),
    )
    return {
        "folds": len(runs),
        "note": _NOTE,
        "out_of_fold": {name: pooled_scores[name] for name in wanted},
        "per_fold": [
            {
                "folder": run.name,
                **mean_scores(member.total),
                "images": len(member.samples),
                "cases": member.num_cases,
                "model_sha256": member.card.model_sha256,
            }
            for run, member in zip(runs, members, strict=True)
        ],
        "report": f"evaluation/{HELD_OUT}/report.html",
    }


def mean_scores(scores: Scores) -> dict[str, Any]:
    """The means of scores, or of intervals, for JSON."""
    return {mean.key: plain(getattr(scores, mean.key)) for mean in (*FOREGROUND, *MEANS)}
