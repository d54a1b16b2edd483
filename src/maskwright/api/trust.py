"""The verbs `trust`, `audit` and `queue`: promises of a model, and what to label again or next."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypedDict, Unpack

from pydantic import NonNegativeInt, PositiveInt

from maskwright.arguments import check_options, checked
from maskwright.errors import ConfigError
from maskwright.evaluation import EvaluateOptions
from maskwright.evaluation.reports.write import write_report
from maskwright.imageio import write_table
from maskwright.inference.predictor import Flips
from maskwright.reliability.labeling_queue import LabelingQueue, QueueOptions
from maskwright.reliability.options import TrustOptions
from maskwright.tasks.provenance import require_out
from maskwright.tasks.registry import stopped_note, task_of
from maskwright.types import OnMessage


class TrustArguments(TypedDict, total=False):
    """Options of `trust`, as `TrustOptions` describes them."""

    split: str
    classes: Sequence[str] | None
    missed: float | None
    false: float | None
    each: float | None
    sure: float | None
    need_dice: float | None
    flips: Flips
    pixel_range: tuple[float, float] | None
    allow_code: bool
    on_message: OnMessage


@checked
def trust(run: str | Path, data: str | Path, **options: Unpack[TrustArguments]) -> Any:
    """Make promises of a trained model from images that it has not learned from, beside it.

    What is written, trust.json and of masks also trust.npz, goes with the run; `evaluate` holds it
    against another split. Of masks, it is a `TrustRecord`, and the temperature on the model card,
    by which logits are divided, changes with it; of single objects an `ObjectTrust`, of
    decisions an `AnswerTrust`.

    Args:
        run: Folder of the run, or of an ensemble.
        data: What `open_dataset` takes: the data of the training, or of another site.

    Raises:
        DataError: If there are no images to make promises from, or they are no cases of their own.
        ModelError: If there is no such model.
        ConfigError: If an option does not fit.
    """
    check_options("trust", options, TrustArguments)
    given = TrustOptions(**options)
    return _task(run, given.on_message).trust(Path(run), data, given)


class AuditArguments(TypedDict, total=False):
    """Options of `audit`, as `EvaluateOptions` describes them."""

    flips: Flips
    pixel_range: tuple[float, float] | None
    examples: NonNegativeInt
    allow_code: bool
    on_message: OnMessage


@checked
def audit(
    run: str | Path,
    data: str | Path,
    *,
    out: str | Path | None = None,
    **options: Unpack[AuditArguments],
) -> Any:
    """Score the mask of every image by a model that has not learned from it, the doubtful first.

    What is given back has `masks` in the order in which to look at them, each with the piece that
    the model contradicts most. Written are audit.csv, audit.json, and report.html with pictures.

    Args:
        run: Folder of a cross-validation, whose folds have each image that one of them has not
            learned from; of a run, all images but those that it has learned from are audited.
        data: What `open_dataset` takes; its masks may have been corrected since the training.
        out: Folder for the results; `audit` in the run by default.
        options: Of `EvaluateOptions`; by default, the worst 24 are drawn (`examples`).

    Raises:
        DataError: If no image can be scored, or the model has learned from all of them.
        ModelError: If there is no such model, or no record of what it has learned from.
        ConfigError: If models of this task audit no labels, or an option does not fit.
    """
    check_options("audit", options, AuditArguments)
    require_out(run, out)
    given = EvaluateOptions(**({"examples": 24} | options))
    task = _task(run, given.on_message, "audit", "audit labels yet")
    audited = task.audit(Path(run), data, given)
    write_report(task.report(audited), audit_folder(run) if out is None else out)
    return audited


def audit_folder(run: str | Path) -> Path:
    """Where an audit is written by default."""
    return Path(run) / "audit"


class QueueArguments(TypedDict, total=False):
    """Options of `queue`, as `QueueOptions` describes them."""

    count: PositiveInt | None
    group_by: str | None
    pixel_range: tuple[float, float] | None
    allow_code: bool
    on_message: OnMessage


@checked
def queue(
    model: str | Path,
    images: str | Path,
    *,
    out: str | Path | None = None,
    **options: Unpack[QueueArguments],
) -> LabelingQueue:
    """Put images without masks in the order in which to label them.

    First come those whose masks are expected to be poor, or that are unlike the training images,
    each far from those before it, and one of each case before the second one of any.

    Args:
        model: Folder of a run or an ensemble, or an exported model; best with promises of `trust`.
        images: A file, a folder or a glob.
        out: CSV file for the order; `None` for none.

    Raises:
        DataError: If there is no image to label.
        ModelError: If there is no such model, or its promises are those of another one.
        ConfigError: If models of this task cannot, or an option does not fit.
    """
    check_options("queue", options, QueueArguments)
    given = QueueOptions(**options)
    task = _task(model, given.on_message, "queue", "say yet what to label next")
    queued = task.queue(Path(model), images, given)
    if out is not None:
        write_table(out, LabelingQueue.headings, queued.rows())
    return queued


def _task(model: str | Path, on_message: OnMessage, verb: str = "trust", what: str = "") -> Any:
    """Task of a model, of which it is said if its training was stopped.

    `ConfigError` if the task lacks a verb; `what` is what its models then cannot do.
    """
    task = task_of(model)
    if getattr(task, verb) is None:
        raise ConfigError(
            f"Expected a model of masks, of the task semantic or multilabel; models of {task.name} "
            f"cannot {what}."
        )
    if note := stopped_note(model):
        on_message(note)
    return task
