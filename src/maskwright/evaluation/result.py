"""`Evaluation`: what the evaluation of every task holds; each task adds its scores."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from maskwright.data.geometry import resize_image
from maskwright.data.samples import Sample, counted
from maskwright.display.notebook import View
from maskwright.errors import ConfigError, DataError
from maskwright.inference.predictor import Flips
from maskwright.labels import Labels
from maskwright.metrics.intervals import ADVISED_CASES, FEWEST_CASES, unseen_share
from maskwright.model_card import ModelCard
from maskwright.types import OnMessage, show_alert

if TYPE_CHECKING:
    from maskwright.display.figures import NotebookFigure

Size = Literal["original", "working"]
Weigh = Literal["cases", "images"]

_SHOWN_SIDE_PX = 512  # of the longer side of an example


@dataclass(frozen=True, kw_only=True)
class EvaluateOptions:
    """How a model is evaluated.

    Args:
        size: `"original"` scores masks in the size of the images, `"working"` in the model's.
        flips: Test-time augmentation, as in `Predictor.__call__`.
        pixel_range: Pixel values of black and white in the images; `None` for those of their type.
        examples: Number of images to draw of each of best, median and worst.
        by: Column of the manifest or of groups.csv whose groups of images are scored apart.
        weigh: `"cases"` counts each case once in means over images, `"images"` each image.
        tolerance_px: Distance up to which outlines agree, for surface Dice; `tolerance_mm`, if it
            is not `None`, goes before it.
        outlines: Whether `compare` also scores outlines.
        size_limits: Areas that divide small, medium and large objects, px; `None` for thirds.
        calibration: Whether to score the probabilities of masks, too.
        allow_code: Open an exported model whose format can run code.
        on_message: Called with a message for every file that is skipped.
    """

    split: str = "test"
    size: Size = "original"
    flips: Flips = False
    pixel_range: tuple[float, float] | None = None
    examples: int = 2
    by: str | None = None
    weigh: Weigh = "cases"
    tolerance_px: float = 2.0
    tolerance_mm: float | None = None
    outlines: bool = False
    size_limits: tuple[float, float] | None = None
    calibration: bool = True
    allow_code: bool = False
    on_message: OnMessage = show_alert


@dataclass(frozen=True)
class Caution:
    """A reason to read scores with care: a code for programs, and one sentence."""

    code: str
    text: str


STOPPED = Caution(
    "stopped", "Training of the model was stopped before its end; --resume goes on with it."
)
_TRAINED_ON = {
    "train": Caution(
        "training_split",
        "The model was trained on this split; expect lower scores on new images.",
    ),
    "val": Caution(
        "validation_split",
        "This split chose the best weights; expect slightly lower scores on new images.",
    ),
}


@dataclass(frozen=True)
class Skipped:
    """A sample that was not scored; `reason` is a sentence that names the file."""

    sample: Sample
    reason: str


@dataclass(frozen=True, eq=False)
class Example:
    """An image of the report; examples of one `rank`, such as `"best"`, share a heading.

    `title` and `text` stand above `panels`: captions and pictures, uint8 RGB `(h, w, 3)`.
    """

    rank: str
    title: str
    text: str
    panels: tuple[tuple[str, np.ndarray], ...]


@dataclass(frozen=True, eq=False, kw_only=True)
class Evaluation:
    """Predictions of a model on a split, compared with the ground truth.

    `data` is the folder of the data, `samples` are those that were scored, `warnings` what limits
    the use of the scores; `date` is ISO 8601, UTC; `view` is set by the verbs that write a report.
    """

    card: ModelCard
    data: Path
    samples: tuple[Sample, ...] = ()
    skipped: tuple[Skipped, ...] = ()
    examples: tuple[Example, ...] = ()
    warnings: tuple[Caution, ...] = ()
    options: EvaluateOptions = field(default_factory=EvaluateOptions)
    date: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))
    view: View | None = field(default=None, repr=False)

    def plot(self) -> "NotebookFigure":
        """Scores with their intervals, as a figure of Matplotlib."""
        if self.view is None:
            raise ConfigError("Expected scores of `evaluate` or `compare`; these have no report.")
        return self.view.plot(self)

    def _repr_html_(self) -> str | None:
        return None if self.view is None else self.view.html(self)

    @property
    def split(self) -> str:
        """Name of the split."""
        return self.options.split

    @property
    def cases(self) -> list[str]:
        """What each sample belongs to, the unit of intervals: its case, or its group of cases."""
        return [sample.together for sample in self.samples]

    @property
    def num_cases(self) -> int:
        """Number of different cases."""
        return len(set(self.cases))

    def split_cautions(self) -> list[Caution]:
        """What the name of the split and the card say of the training of the model."""
        stopped = [STOPPED] if self.card.stopped else []
        return [*stopped, *([_TRAINED_ON[self.split]] if self.split in _TRAINED_ON else [])]

    def case_cautions(self) -> list[Caution]:
        """What a small number of cases leaves unknown."""
        number = self.num_cases
        if not number or number >= ADVISED_CASES:
            return []
        if number < FEWEST_CASES:
            text = f"There {'are' if number > 1 else 'is'} {counted(number, 'case')}; it takes "
            return [Caution("few_cases", f"{text}{FEWEST_CASES} for intervals of these scores.")]
        text = (
            f"Up to {unseen_share(number):.0%} of new cases may fail in a way that none of these "
            f"{number} did; evaluate on {ADVISED_CASES} or more."
        )
        return [Caution("few_cases", text)]


def class_cautions(model: Labels, data: Labels) -> list[Caution]:
    """Whether classes of model and data have the same names; `DataError` for another number."""
    if model.num_classes != data.num_classes:
        raise DataError(
            f"Expected data with the {model.num_classes} classes of the model "
            f"({', '.join(model.names)}); the data has {data.num_classes} "
            f"({', '.join(data.names)})."
        )
    if model.names == data.names:
        return []
    text = (
        f"The model calls its classes {', '.join(model.names)}, the data calls them "
        f"{', '.join(data.names)}; they were matched in this order."
    )
    return [Caution("class_names", text)]


def rare_cautions(
    labels: Labels, class_cases: np.ndarray, scored: np.ndarray, num_cases: int
) -> list[Caution]:
    """Whether too few of all cases hold a class that has a score; both `(classes,)`."""
    rare = [
        f"{labels.names[label]} ({class_cases[label]})"
        for label in np.flatnonzero(scored & (class_cases < FEWEST_CASES))
    ]
    if not rare or num_cases < FEWEST_CASES:
        return []
    text = (
        f"Fewer than {FEWEST_CASES} cases hold {', '.join(rare)}: no interval for "
        f"{'this class' if len(rare) == 1 else 'these classes'}, nor for means over classes."
    )
    return [Caution("rare_classes", text)]


def example_size(size: tuple[int, ...]) -> tuple[int, int]:
    """Height and width that an image of `size` is shown in, px."""
    scale = _SHOWN_SIDE_PX / max(size[:2])
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def shown(picture: np.ndarray) -> np.ndarray:
    """Picture uint8 `(h, w, 3)` in the size of an example."""
    return resize_image(np.ascontiguousarray(picture), example_size(picture.shape))


def rank_examples(scores: np.ndarray, number: int) -> list[tuple[str, int]]:
    """Indices of the best, median and worst scores, each index once; nan is left out.

    Of `scores` `(n,)`, higher is better. Each rank has `number` indices, or fewer where there are
    fewer than three times as many scores.
    """
    defined = np.flatnonzero(~np.isnan(scores))
    order = defined[np.argsort(-scores[defined], kind="stable")].tolist()
    number = min(number, -(-len(order) // 3))
    start = (len(order) - number) // 2
    best, median = order[:number], order[start : start + number]
    worst = [index for index in order[: -number - 1 : -1] if index not in best]
    median = [index for index in median if index not in best + worst]
    ranks = {"best": best, "median": median, "worst": worst}
    return [(rank, index) for rank, indices in ranks.items() for index in indices]
