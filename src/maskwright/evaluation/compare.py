"""Two models on the same images of a split: how far apart they are, and whether that is shown."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path

import numpy as np

from maskwright.data.samples import Sample
from maskwright.errors import ConfigError, DataError, ModelError
from maskwright.evaluation.evaluate import (
    Model,
    Size,
    Skipped,
    Source,
    cautions,
    evaluate,
    look,
)
from maskwright.inference.predictor import Flips
from maskwright.labels import Labels
from maskwright.metrics import Paired, fewest_cases, paired_difference, tally_scores
from maskwright.model_card import SemanticCard


@dataclass(frozen=True, eq=False)
class Differing:
    """An image on which two models differ, in a size that suits a page.

    Args:
        index: Place in `Comparison.samples`.
        picture: uint8 RGB `(h, w, 3)`.
        truth: Labels `(h, w)`.
        guesses: Labels `(h, w)` of A and of B.
    """

    index: int
    picture: np.ndarray
    truth: np.ndarray
    guesses: tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True, eq=False, kw_only=True)
class Comparison:
    """Counts of two models on the same images, and the differences that follow from them.

    Args:
        names: What the models are called, A and B.
        cards: Of both.
        labels: Of the data.
        data: Where the data lies.
        split: Name of the split.
        scored_at: As in `Evaluation`.
        flips: As in `Predictor.__call__`.
        samples: Those that both were scored on.
        tallies: Of each image, of A and of B, int64 `(n, 2, 3, classes)`.
        skipped: Samples that one of them could not be scored on.
        differing: Images on which A is furthest ahead, then those on which B is.
        warnings: Sentences on what limits the use of the differences.
        draws: Data sets drawn for the intervals.
        seed: Of the drawing.
        date: Of the comparison, ISO 8601, UTC.
    """

    names: tuple[str, str]
    cards: tuple[SemanticCard, SemanticCard]
    labels: Labels
    data: Path
    split: str
    scored_at: Size
    flips: Flips
    samples: tuple[Sample, ...]
    tallies: np.ndarray
    skipped: tuple[Skipped, ...]
    differing: tuple[Differing, ...]
    warnings: tuple[str, ...]
    draws: int
    seed: int
    date: str

    @property
    def cases(self) -> list[str]:
        """Case of each sample."""
        return [sample.together for sample in self.samples]

    @cached_property
    def paired(self) -> Paired:
        """Scores of A and B, A's gain over B, and its intervals with cases drawn anew."""
        return paired_difference(
            self.tallies[:, 0], self.tallies[:, 1], self.cases, draws=self.draws, seed=self.seed
        )

    @cached_property
    def gains(self) -> np.ndarray:
        """How far A's mean Dice lies above B's in each image, `(n,)`; nan without a score."""
        return gains(self.tallies)


def compare(
    a: Model,
    b: Model,
    dataset: Source,
    split: str = "test",
    *,
    names: tuple[str, str] = ("A", "B"),
    size: Size = "original",
    flips: Flips = False,
    bootstrap: int = 2000,
    seed: int = 0,
    examples: int = 3,
    learned: tuple[Collection[str], Collection[str]] = ((), ()),
) -> Comparison:
    """Score two models on the same images of a split.

    Args:
        a: Predicts one image, as in `evaluate`.
        b: The other.
        dataset: Where images and true masks come from.
        split: Name of the split, which neither should have learned from.
        names: What the models are called.
        size: As in `evaluate`; models of different working sizes meet at `"original"`.
        flips: As in `Predictor.__call__`.
        bootstrap: Data sets drawn for the intervals; 0 for none.
        seed: Of that drawing.
        examples: Images to keep a picture of on which A is ahead, and as many for B.
        learned: Ids of samples that A, and that B, is known to have learned from.

    Raises:
        ModelError: If the models tell other classes apart.
        ConfigError: If they are to meet at working sizes that differ.
        DataError: As `evaluate`, or if no image can be scored with both.
    """
    _check_comparable(a.card, b.card, names, size)
    found = [
        evaluate(
            *(model, dataset, split), size=size, flips=flips, bootstrap=0, examples=0, learned=known
        )
        for model, known in zip((a, b), learned, strict=True)
    ]
    places = [{sample.id: n for n, sample in enumerate(one.samples)} for one in found]
    samples = [sample for sample in found[0].samples if sample.id in places[1]]
    if not samples:
        raise DataError(f"No image of the split {split!r} can be scored with both models.")
    tallies = np.stack(
        [
            one.tallies[[place[sample.id] for sample in samples]]
            for one, place in zip(found, places, strict=True)
        ],
        axis=1,
    )
    num_cases = len({sample.together for sample in samples})
    warnings = _told(found[0].warnings, found[1].warnings, names)
    warnings += [told for told in cautions("", num_cases, bootstrap) if told not in warnings]
    if bootstrap and num_cases < fewest_cases():
        warnings = [told for told in warnings if not told.startswith("The intervals rest")]
        warnings.append(
            f"There are {num_cases} cases; it takes {fewest_cases()} or more to show a difference."
        )
    working = a.card.size if size == "working" else None
    return Comparison(
        names=names,
        cards=(a.card, b.card),
        labels=found[0].labels,
        data=found[0].data,
        split=split,
        scored_at=size,
        flips=flips,
        samples=tuple(samples),
        tallies=tallies,
        skipped=tuple({s.sample.id: s for one in found for s in one.skipped}.values()),
        differing=tuple(
            _differing(index, *look(dataset, samples[index], [a, b], working, flips))
            for index in most_differing(gains(tallies), examples)
        ),
        warnings=tuple(warnings),
        draws=bootstrap,
        seed=seed,
        date=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def gains(tallies: np.ndarray) -> np.ndarray:
    """Differences of the mean Dice of images, `(n,)`, from tallies `(n, 2, 3, classes)`."""
    dice = tally_scores(tallies).mean_dice
    return dice[:, 0] - dice[:, 1]


def most_differing(gains: np.ndarray, number: int) -> list[int]:
    """Places of the largest gains, then of the largest losses, each so many where there are."""
    defined = np.flatnonzero(~np.isnan(gains))
    order = defined[np.argsort(-gains[defined], kind="stable")].tolist()
    ahead = [place for place in order if gains[place] > 0][:number]
    behind = [place for place in reversed(order) if gains[place] < 0][:number]
    return ahead + behind


def _check_comparable(a: SemanticCard, b: SemanticCard, names: tuple[str, str], size: Size) -> None:
    if a.labels.names != b.labels.names:
        raise ModelError(
            f"Expected two models for the same classes: {names[0]} tells "
            f"{', '.join(a.labels.names)} apart, {names[1]} {', '.join(b.labels.names)}."
        )
    if size == "working" and a.size != b.size:
        raise ConfigError(
            f"{names[0]} and {names[1]} work at different sizes, {_size(a)} and {_size(b)}; "
            f"compare them at the size of the originals, with size 'original'."
        )


def _size(card: SemanticCard) -> str:
    return "that of the image" if card.size is None else f"{card.size[0]}x{card.size[1]} px"


def _told(first: tuple[str, ...], second: tuple[str, ...], names: tuple[str, str]) -> list[str]:
    """Warnings of both evaluations, those that only one of them has under its name."""
    both = [told for told in first if told in second]
    for name, warnings in zip(names, (first, second), strict=True):
        both += [f"{name}: {told}" for told in warnings if told not in both]
    return both


def _differing(
    index: int, picture: np.ndarray, truth: np.ndarray, guesses: list[np.ndarray]
) -> Differing:
    return Differing(index, picture, truth, (guesses[0], guesses[1]))
