"""The verb `trust`: promises of a trained model that hold for new cases."""

from collections.abc import Sequence
from pathlib import Path
from typing import TypedDict, Unpack

from maskwright.arguments import check_options, checked
from maskwright.errors import ConfigError
from maskwright.inference.predictor import Flips
from maskwright.reliability.options import TrustOptions
from maskwright.reliability.record import TrustRecord
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
def trust(run: str | Path, data: str | Path, **options: Unpack[TrustArguments]) -> TrustRecord:
    """Make promises of a trained model from images that it has not learned from, beside it.

    What is written, trust.json and trust.npz, goes with the run; `evaluate` holds it against
    another split. The temperature on the model card, by which logits are divided, changes with it.

    Args:
        run: Folder of the run, or of an ensemble.
        data: What `open_dataset` takes: the data of the training, or of another site.

    Raises:
        DataError: If there are no images to make promises from, or they are no cases of their own.
        ModelError: If there is no such model.
        ConfigError: If models of this task make no promises, or an option does not fit.
    """
    check_options("trust", options, TrustArguments)
    given = TrustOptions(**options)
    task = task_of(run)
    if task.trust is None:
        raise ConfigError(
            f"Expected a model of masks, of the task semantic or multilabel; models of {task.name} "
            f"make no promises yet: evaluate it, and read the intervals of its scores."
        )
    if note := stopped_note(run):
        given.on_message(note)
    return task.trust(Path(run), data, given)
