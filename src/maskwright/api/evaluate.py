"""The verb `evaluate`, whatever the task."""

from pathlib import Path
from typing import Any, TypedDict, Unpack

from maskwright.evaluation.result import EvaluateOptions, Size
from maskwright.inference.predictor import Flips
from maskwright.tasks.provenance import require_out
from maskwright.tasks.registry import task_of
from maskwright.types import OnMessage


class EvaluateArguments(TypedDict, total=False):
    """Options of `evaluate`, as `EvaluateOptions` describes them."""

    split: str
    size: Size
    flips: Flips
    bootstrap: int
    seed: int
    examples: int
    on_message: OnMessage


def evaluate(
    run: str | Path,
    data: str | Path,
    *,
    out: str | Path | None = None,
    **options: Unpack[EvaluateArguments],
) -> Any:
    """Score a trained model on a split, and write table, cases and report.

    Args:
        run: Folder of the run, or of an ensemble.
        out: Folder for the results; `evaluation/SPLIT` in the run by default.
        options: As `EvaluateOptions` describes them.
    """
    from maskwright.evaluation.reports.write import write_report

    require_out(run, out)
    given = EvaluateOptions(**options)
    folder = Path(out) if out else Path(run) / "evaluation" / given.split
    task = task_of(run)
    evaluation = task.evaluate(Path(run), data, given)
    write_report(task.report(evaluation), folder, run)
    return evaluation
