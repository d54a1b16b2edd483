"""`compare`: two trained models on the same images."""

from pathlib import Path
from typing import TYPE_CHECKING, Unpack

from maskwright.api.evaluate import EvaluateArguments
from maskwright.errors import ConfigError
from maskwright.evaluation.result import EvaluateOptions
from maskwright.tasks.registry import require_task, task_of

if TYPE_CHECKING:
    from maskwright.tasks.semantic.evaluation.compare import Comparison

_DRAWS, _EXAMPLES = 2000, 3


def compare(
    a: str | Path,
    b: str | Path,
    data: str | Path,
    *,
    out: str | Path | None = None,
    **options: Unpack[EvaluateArguments],
) -> "Comparison":
    """Score two trained models on the same images of a split, and test the difference.

    Only images are scored that are in the split by the plans of both; a warning says where that
    leaves some out, or where a model was trained on some.

    Args:
        out: Folder for the results; `comparison/NAME_OF_B/SPLIT` in `a` by default.
        options: As `EvaluateOptions` describes them, with 2000 bootstrap samples and 3 examples
            on each side by default.
    """
    from maskwright.evaluation.reports.write import write_report

    first, second = Path(a), Path(b)
    options.setdefault("bootstrap", _DRAWS)
    options.setdefault("examples", _EXAMPLES)
    given = EvaluateOptions(**options)
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
