"""`Evaluation`: what the evaluation of every task holds; each task adds its scores."""

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from maskwright.data.geometry import resize_image
from maskwright.data.samples import Sample
from maskwright.evaluation.cautions import Caution
from maskwright.evaluation.options import EvaluateOptions
from maskwright.model_card import ModelCard

_FEW_CASES = 10  # below, a percentile bootstrap is known to give intervals that are too narrow
_SHOWN_SIDE_PX = 512  # of the longer side of an example
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
    """An image to look at in the report.

    Args:
        rank: Heading that neighbors share, such as `"best"`; empty for none.
        title: Name of the image, or of what was decided on.
        text: Its scores, in one line.
        panels: Captions and pictures, uint8 RGB `(h, w, 3)`.
    """

    rank: str
    title: str
    text: str
    panels: tuple[tuple[str, np.ndarray], ...]


@dataclass(frozen=True, eq=False, kw_only=True)
class Evaluation:
    """Predictions of a model on a split, compared with the ground truth.

    Args:
        card: Card of the model.
        data: Folder of the data.
        samples: Samples that were scored.
        skipped: Samples that could not be read or predicted.
        examples: Images for the report.
        warnings: What limits the use of the scores.
        options: How the model was evaluated.
        date: Of the evaluation, ISO 8601, UTC.
    """

    card: ModelCard
    data: Path
    samples: tuple[Sample, ...] = ()
    skipped: tuple[Skipped, ...] = ()
    examples: tuple[Example, ...] = ()
    warnings: tuple[Caution, ...] = ()
    options: EvaluateOptions = field(default_factory=EvaluateOptions)
    date: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))

    @property
    def split(self) -> str:
        """Name of the split."""
        return self.options.split

    @property
    def cases(self) -> list[str]:
        """Unit of the bootstrap that each sample belongs to: its case, or its group of cases."""
        return [sample.together for sample in self.samples]

    @property
    def num_cases(self) -> int:
        """Number of different cases."""
        return len(set(self.cases))

    @property
    def draws(self) -> int:
        """Bootstrap samples for the intervals; 0 where there is a single case."""
        return self.options.bootstrap if self.num_cases > 1 else 0

    def split_cautions(self, learned: Collection[str] = ()) -> list[Caution]:
        """What the model is known to have been trained on.

        Args:
            learned: Ids of samples that it was trained on, whatever the split is called.
        """
        if num_seen := sum(sample.id in learned for sample in self.samples):
            text = (
                f"The model was trained on {num_seen} of these images; expect lower scores on new "
                f"images."
            )
            return [Caution("trained_on", text)]
        return [_TRAINED_ON[self.split]] if self.split in _TRAINED_ON else []

    def case_cautions(self) -> list[Caution]:
        """What a small number of cases does to the intervals."""
        if not self.draws or self.num_cases >= _FEW_CASES:
            return []
        text = f"The intervals rest on {self.num_cases} cases only and are too narrow."
        return [Caution("few_cases", text)]


def example_size(size: tuple[int, ...]) -> tuple[int, int]:
    """Height and width that an image of `size` is shown in, px."""
    scale = _SHOWN_SIDE_PX / max(size[:2])
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def shown(picture: np.ndarray) -> np.ndarray:
    """Picture uint8 `(h, w, 3)` in the size of an example."""
    return resize_image(np.ascontiguousarray(picture), example_size(picture.shape))


def rank_examples(scores: np.ndarray, number: int) -> list[tuple[str, int]]:
    """Indices of the best, median and worst scores, each index once; nan is left out.

    Args:
        scores: `(n,)`; higher is better.
        number: Indices of each rank; fewer where there are fewer than three times as many scores.
    """
    defined = np.flatnonzero(~np.isnan(scores))
    order = defined[np.argsort(-scores[defined], kind="stable")].tolist()
    number = min(number, -(-len(order) // 3))
    start = (len(order) - number) // 2
    groups = {
        "best": order[:number],
        "worst": order[: -number - 1 : -1],
        "median": order[start : start + number],
    }
    rank_of: dict[int, str] = {}
    for rank, indices in groups.items():
        for index in indices:
            rank_of.setdefault(index, rank)
    return [
        (rank, index)
        for rank in ("best", "median", "worst")
        for index in groups[rank]
        if rank_of[index] == rank
    ]
