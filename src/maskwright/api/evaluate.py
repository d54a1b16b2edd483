"""The verbs `evaluate` and `compare`, whatever the task."""

from pathlib import Path
from typing import Any, TypedDict, Unpack

from maskwright.errors import ConfigError
from maskwright.evaluation.reports.write import write_report
from maskwright.evaluation.result import EvaluateOptions, Size
from maskwright.inference.predictor import Flips
from maskwright.tasks.provenance import require_out
from maskwright.tasks.registry import require_task, task_of
from maskwright.tasks.semantic.evaluation.compare import Comparison
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
    """
    require_out(run, out)
    given = EvaluateOptions(**options)
    folder = Path(out) if out else Path(run) / "evaluation" / given.split
    task = task_of(run)
    evaluation = task.evaluate(Path(run), data, given)
    write_report(task.report(evaluation), folder, run)
    return evaluation


def compare(
    a: str | Path,
    b: str | Path,
    data: str | Path,
    *,
    out: str | Path | None = None,
    **options: Unpack[EvaluateArguments],
) -> Comparison:
    """Score two trained models on the same images of a split, and test the difference.

    Only images are scored that are in the split by the plans of both; a warning says where that
    leaves some out, or where a model was trained on some.

    Args:
        out: Folder for the results; `comparison/NAME_OF_B/SPLIT` in `a` by default.
        options: As for `evaluate`, with 2000 bootstrap samples and 3 examples on each side by
            default.
    """
    first, second = Path(a), Path(b)
    given = EvaluateOptions(**({"bootstrap": 2000, "examples": 3} | options))
    task = task_of(first)
    require_task(second, task.name)
    if task.compare is None:
        raise ConfigError(
            f"Expected two models of masks, of the task semantic; models of {task.name} cannot be "
            f"compared on the same images yet: evaluate each, and compare the intervals of their "
            f"scores."
        )
    comparison = task.compare(first, second, data, given)
    folder = out or comparison_folder(first, second, given.split)
    write_report(task.report(comparison), folder)
    return comparison


def comparison_folder(a: Path, b: Path, split: str) -> Path:
    """Where a comparison is written by default."""
    return a / "comparison" / b.resolve().name / split
