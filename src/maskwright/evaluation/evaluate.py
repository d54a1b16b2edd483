"""Score a model on a split: count pixels image by image, then divide."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from functools import cached_property, partial
from pathlib import Path
from typing import Literal, Protocol, get_args

import numpy as np

from maskwright.data.geometry import resize_image, resize_labels
from maskwright.data.parallel import in_threads
from maskwright.data.samples import Sample
from maskwright.data.to_rgb import as_picture
from maskwright.errors import ConfigError, DataError
from maskwright.inference.predictor import Flips, Prediction
from maskwright.labels import Labels
from maskwright.metrics import (
    Scores,
    add_by_case,
    confusion,
    defined_mean,
    interval,
    resample,
    resample_mean,
    tally,
    tally_scores,
)
from maskwright.model_card import SemanticCard

Size = Literal["original", "working"]
MEANS = ("mean_iou", "mean_dice", "pixel_accuracy")
"""Fields of `Scores` that are one number for an image or a data set."""

_SHOWN_SIDE_PX = 512  # of the longer side of a drawn example
_FEW_CASES = 10  # below, a percentile bootstrap is known to give intervals that are too narrow
_TRAINED_ON = {
    "train": "The model was trained on this split; expect lower scores on new images.",
    "val": "This split chose the best weights; expect slightly lower scores on new images.",
}


class Source(Protocol):
    """What scoring needs of a data set."""

    @property
    def root(self) -> Path:
        """Where the data lies."""

    @property
    def labels(self) -> Labels:
        """Names and colors of the classes."""

    def of(self, split: str) -> list[Sample]:
        """Samples of a split; `DataError` where there is no such split."""

    def read(self, sample: Sample) -> tuple[np.ndarray, np.ndarray]:
        """Image `(h, w, c)` and labels int32 `(h, w)`; `DataError` where it cannot."""


class Model(Protocol):
    """What scoring needs of a predictor."""

    @property
    def card(self) -> SemanticCard:
        """Classes and working size."""

    def __call__(self, image: np.ndarray, *, flips: Flips = False) -> Prediction:
        """Labels of one image in its own size."""


@dataclass(frozen=True)
class Skipped:
    """A sample that was not scored; `reason` is a sentence that names the file."""

    sample: Sample
    reason: str


@dataclass(frozen=True, eq=False)
class Example:
    """An image to look at, in a size that suits a page.

    Args:
        rank: `"best"`, `"median"` or `"worst"` by mean Dice.
        index: Place in `Evaluation.samples`.
        picture: uint8 RGB `(h, w, 3)`.
        truth: Labels `(h, w)`.
        guess: Labels `(h, w)`.
    """

    rank: str
    index: int
    picture: np.ndarray
    truth: np.ndarray
    guess: np.ndarray


@dataclass(frozen=True, eq=False, kw_only=True)
class Evaluation:
    """Counts of every image of a split and the scores that follow from them.

    Args:
        card: Of the model.
        labels: Of the data.
        data: Where the data lies.
        split: Name of the split.
        scored_at: `"original"` where masks were compared in the size of the images, `"working"`
            where in the size on the card.
        flips: As in `Predictor.__call__`.
        samples: Those that were scored.
        counts: Pixels of all images, true classes in rows, int64 `(classes, classes)`.
        tallies: Of each image, int64 `(n, 3, classes)`; see `metrics.tally`.
        skipped: Samples that could not be read or predicted.
        examples: Best, median and worst images.
        warnings: Sentences on what limits the use of the scores.
        draws: Data sets drawn for the intervals.
        seed: Of the drawing.
        date: Of the evaluation, ISO 8601, UTC.
    """

    card: SemanticCard
    labels: Labels
    data: Path
    split: str
    scored_at: Size
    flips: Flips
    samples: tuple[Sample, ...]
    counts: np.ndarray
    tallies: np.ndarray
    skipped: tuple[Skipped, ...]
    examples: tuple[Example, ...]
    warnings: tuple[str, ...]
    draws: int
    seed: int
    date: str

    @cached_property
    def total(self) -> Scores:
        """Scores of all pixels taken together."""
        return tally_scores(tally(self.counts))

    @cached_property
    def images(self) -> Scores:
        """Scores of each image, `(n,)` and `(n, classes)`; nan where an image has none."""
        return tally_scores(self.tallies)

    @cached_property
    def image_wise(self) -> Mapping[str, np.ndarray]:
        """Means over images of each field of `images`; those without a score are left out."""
        names = [field.name for field in fields(Scores)]
        return {name: defined_mean(getattr(self.images, name), axis=0) for name in names}

    @property
    def cases(self) -> list[str]:
        """Case of each sample."""
        return [sample.together for sample in self.samples]

    @cached_property
    def intervals(self) -> Scores:
        """Ends of the 95 % intervals of `total`, `(2,)` and `(2, classes)`, cases resampled.

        All nan where there is a single case or nothing was to be drawn.
        """
        by_case = add_by_case(self.tallies, self.cases)
        drawn = resample(by_case, self._draws, self.seed)
        return Scores(**{f.name: interval(getattr(drawn, f.name)) for f in fields(Scores)})

    @cached_property
    def image_wise_intervals(self) -> Mapping[str, np.ndarray]:
        """Ends of the 95 % intervals of the `MEANS` in `image_wise`, `(2,)` each."""
        return {
            name: interval(
                resample_mean(getattr(self.images, name), self.cases, self._draws, self.seed)
            )
            for name in MEANS
        }

    @property
    def _draws(self) -> int:
        return self.draws if len(set(self.cases)) > 1 else 0


def evaluate(
    predictor: Model,
    dataset: Source,
    split: str = "test",
    *,
    size: Size = "original",
    flips: Flips = False,
    bootstrap: int = 1000,
    seed: int = 0,
    examples: int = 2,
    learned: Collection[str] = (),
) -> Evaluation:
    """Predict every image of a split and count its pixels by true and predicted class.

    Args:
        predictor: Predicts one image; `Predictor`, or any object with a card that can be called.
        dataset: Where images and true masks come from.
        split: Name of the split.
        size: `"original"` compares masks in the size of the images; `"working"` stretches image
            and true mask to the size on the card first, and areas on the card are then px of that.
        flips: As in `Predictor.__call__`.
        bootstrap: Data sets drawn for the intervals; 0 for none.
        seed: Of that drawing.
        examples: Best, median and worst images to keep a picture of, of each so many.
        learned: Ids of samples that the model is known to have learned from, to warn of them.

    Raises:
        DataError: If model and data have not the same number of classes, or if no sample of the
            split can be scored. A single one that cannot is told in `skipped`.
        ConfigError: If `size` is something else.
    """
    if size not in get_args(Size):
        raise ConfigError(f"`size` must be 'original' or 'working'; received {size!r}.")
    warnings = check_classes(predictor.card.labels, dataset.labels)
    samples = dataset.of(split)
    num_classes = dataset.labels.num_classes
    working = predictor.card.size if size == "working" else None
    counts = np.zeros((num_classes, num_classes), np.int64)
    scored: list[Sample] = []
    tallies: list[np.ndarray] = []
    skipped: list[Skipped] = []
    # At native scale a single image can fill the memory: one is read while another is predicted.
    workers = None if predictor.card.size else 1
    read = partial(_read, dataset, working)
    reading = in_threads(read, samples, f"Scoring {split}", workers=workers, ahead=1)
    for sample, entry in zip(samples, reading, strict=True):
        try:
            image, truth = _raised(entry)
            own = confusion(truth, predictor(image, flips=flips).labels, num_classes)
        except DataError as error:
            skipped.append(Skipped(sample, str(error)))
            continue
        counts += own
        scored.append(sample)
        tallies.append(tally(own))
    if not scored:
        first = f" The first: {skipped[0].reason}" if skipped else ""
        raise DataError(
            f"Expected images with masks in the split {split!r}; none of its {len(samples)} could "
            f"be scored.{first}"
        )
    warnings += cautions(
        split,
        len({sample.together for sample in scored}),
        bootstrap,
        seen=sum(sample.id in learned for sample in scored),
    )
    every_tally = np.stack(tallies)
    return Evaluation(
        card=predictor.card,
        labels=dataset.labels,
        data=dataset.root,
        split=split,
        scored_at=size,
        flips=flips,
        samples=tuple(scored),
        counts=counts,
        tallies=every_tally,
        skipped=tuple(skipped),
        examples=tuple(
            _example(rank, index, *look(dataset, scored[index], [predictor], working, flips))
            for rank, index in ranked(tally_scores(every_tally).mean_dice, examples)
        ),
        warnings=tuple(warnings),
        draws=bootstrap,
        seed=seed,
        date=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def cautions(split: str, num_cases: int, draws: int, seen: int = 0) -> list[str]:
    """Sentences on what a split and a number of cases do to scores and their intervals.

    Args:
        split: That was scored.
        num_cases: In it.
        draws: Data sets drawn for the intervals.
        seen: Images of it that are known to have been learned from, whatever the split is called.
    """
    told = [_TRAINED_ON[split]] if split in _TRAINED_ON else []
    if seen:
        told = [
            f"The model was trained on {seen} of these images; expect lower scores on new images."
        ]
    if draws and 1 < num_cases < _FEW_CASES:
        told.append(f"The intervals rest on {num_cases} cases only and are too narrow.")
    return told


def ranked(values: np.ndarray, number: int) -> list[tuple[str, int]]:
    """Places of the best, middle and worst values, each place once and nan never.

    Args:
        values: `(n,)`, larger is better.
        number: Places of each rank; fewer where there are fewer than three times as many values.
    """
    defined = np.flatnonzero(~np.isnan(values))
    order = defined[np.argsort(-values[defined], kind="stable")].tolist()
    number = min(number, -(-len(order) // 3))
    start = (len(order) - number) // 2
    groups = {
        "best": order[:number],
        "worst": order[: -number - 1 : -1],
        "median": order[start : start + number],
    }
    taken: dict[int, str] = {}
    for rank, places in groups.items():
        for place in places:
            taken.setdefault(place, rank)
    return [
        (rank, place)
        for rank in ("best", "median", "worst")
        for place in groups[rank]
        if taken[place] == rank
    ]


def check_classes(known: Labels, labels: Labels) -> list[str]:
    """Refuse data of another number of classes than a model knows; warn of other names."""
    if known.num_classes != labels.num_classes:
        raise DataError(
            f"Expected data with the {known.num_classes} classes of the model "
            f"({', '.join(known.names)}); the data has {labels.num_classes} "
            f"({', '.join(labels.names)})."
        )
    if known.names != labels.names:
        return [
            f"The model calls its classes {', '.join(known.names)}, the data calls them "
            f"{', '.join(labels.names)}; they were matched in this order."
        ]
    return []


def _read(
    dataset: Source, working: tuple[int, int] | None, sample: Sample
) -> tuple[np.ndarray, np.ndarray] | DataError:
    """Image and labels at the size to be scored at, or why they cannot be had."""
    try:
        image, labels = dataset.read(sample)
    except DataError as error:
        return error
    if working is None:
        return image, labels
    return resize_image(image, working), resize_labels(labels, working)


def _raised(
    entry: tuple[np.ndarray, np.ndarray] | DataError,
) -> tuple[np.ndarray, np.ndarray]:
    if isinstance(entry, DataError):
        raise entry
    return entry


def look(
    dataset: Source,
    sample: Sample,
    predictors: Sequence[Model],
    working: tuple[int, int] | None,
    flips: Flips,
) -> tuple[np.ndarray, np.ndarray, list[np.ndarray]]:
    """Read and predict an image once more, in the size it is shown in.

    Args:
        dataset: Where it comes from.
        sample: Of which image.
        predictors: Each predicts it.
        working: Size that image and truth are stretched to first; `None` for their own.
        flips: As in `evaluate`.

    Returns:
        uint8 RGB `(h, w, 3)`, true labels `(h, w)` and those of each predictor.
    """
    image, truth = _raised(_read(dataset, working, sample))
    guesses = [predictor(image, flips=flips).labels for predictor in predictors]
    scale = _SHOWN_SIDE_PX / max(truth.shape)
    shown = (max(1, round(truth.shape[0] * scale)), max(1, round(truth.shape[1] * scale)))
    picture = resize_image(as_picture(image), shown)
    return picture, resize_labels(truth, shown), [resize_labels(g, shown) for g in guesses]


def _example(
    rank: str, index: int, picture: np.ndarray, truth: np.ndarray, guesses: Sequence[np.ndarray]
) -> Example:
    return Example(rank, index, picture, truth, guesses[0])
