"""The one loop of every evaluation: read, predict once, score, hand the prediction on."""

import pickle
import zlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, Protocol, TypeVar

import numpy as np

from maskwright.data.parallel import in_threads
from maskwright.data.samples import Sample, counted
from maskwright.errors import DataError
from maskwright.evaluation.cases import CaseFinder
from maskwright.evaluation.result import Caution, EvaluateOptions, Evaluation, Skipped
from maskwright.inference.pixels import pixel_warnings

Result = TypeVar("Result")
Truth = TypeVar("Truth")
Predicted = TypeVar("Predicted")
Predicted_contra = TypeVar("Predicted_contra", contravariant=True)
Result_co = TypeVar("Result_co", bound=Evaluation, covariant=True)
Consumer = Callable[[Sample, np.ndarray, Truth, Predicted], object]
"""Called with sample, image, ground truth and prediction."""


class Scorer(Protocol[Truth, Predicted_contra, Result_co]):
    """Compares predictions with ground truth, image by image; one for each task.

    `source` is the data set, with the samples `of` a split, and what is `known` of images, some of
    which are not scored; `card` is that of the model; `workers` threads read ahead, 1 where a
    single image may fill the memory, else `None`.
    """

    source: Any
    card: Any
    options: EvaluateOptions
    workers: int | None

    def read(self, sample: Sample) -> tuple[np.ndarray, Truth]:
        """Image `(h, w, c)` and ground truth; `DataError` where one cannot be read."""

    def update(
        self, sample: Sample, image: np.ndarray, truth: Truth, prediction: Predicted_contra
    ) -> None:
        """Score one image; `DataError` where it cannot be scored."""

    def result(self, base: Evaluation) -> Result_co:
        """Scores of all images, added to what every evaluation holds."""


def evaluate(
    predict: Callable[[np.ndarray], Predicted],
    scorer: Scorer[Truth, Predicted, Result_co],
    consumers: Sequence[Consumer[Truth, Predicted]] = (),
) -> Result_co:
    """Predict every image of a split once, and score it.

    `predict` takes an image `(h, w, c)`; `consumers` get each prediction after it was scored.

    Raises:
        DataError: If no sample of the split can be scored, or all were learned from;
            `Evaluation.skipped` lists single ones that cannot be.
    """
    split = scorer.options.split
    samples: list[Sample] = scorer.source.of(split)
    scored: list[Sample] = []
    learned: list[Sample] = []
    skipped: list[Skipped] = []
    cautions: dict[str, None] = {}
    finder = CaseFinder(scorer.source, samples)
    read, title = partial(attempt, scorer.read), f"Scoring {split}"
    reading = in_threads(read, samples, title, workers=scorer.workers, ahead=1)
    for sample, entry in zip(samples, reading, strict=True):
        try:
            if isinstance(entry, DataError):
                raise entry
            if scorer.source.is_learned(sample):
                learned.append(sample)
                continue
            image, truth = entry
            prediction = predict(image)
            scorer.update(sample, image, truth, prediction)
        except DataError as error:
            skipped.append(Skipped(sample, str(error)))
            continue
        scored.append(sample)
        finder.add(sample, image)
        cautions |= dict.fromkeys(pixel_warnings(image, scorer.card))
        for consume in consumers:
            consume(sample, image, truth, prediction)
    if learned and not scored:
        raise DataError(
            f"The split {split!r} of {scorer.source.root} holds nothing to score but images that "
            f"a model learned from or was selected by, {len(learned)} of them; score another "
            f"split, or other data."
        )
    if not scored:
        first = f" The first: {skipped[0].reason}" if skipped else ""
        raise DataError(
            f"Expected images with ground truth in the split {split!r}; none of its "
            f"{len(samples)} could be scored.{first}"
        )
    united, cases = finder.unite(scored, learned)
    base = Evaluation(
        card=scorer.card,
        data=scorer.source.root,
        samples=tuple(united),
        skipped=tuple(skipped),
        options=scorer.options,
    )
    result = scorer.result(base)
    notes = [Caution("pixels", text) for text in cautions]
    if learned:
        text = (
            f"Left out: {len(learned)} of {counted(len(samples), 'image')} of the split, which a "
            f"model learned from or was selected by, such as {min(s.id for s in learned)}."
        )
        notes.append(Caution("trained_on", text))
    return replace(result, warnings=(*notes, *cases, *result.warnings))


def pack(prediction: Any) -> bytes:
    """A prediction in few bytes: masks shrink a hundredfold, so that all of a split fit."""
    return zlib.compress(pickle.dumps(prediction), 1)


def unpack(packed: bytes) -> Any:
    """What `pack` was given."""
    return pickle.loads(zlib.decompress(packed))


def attempt(read: Callable[[Sample], Result], sample: Sample) -> Result | DataError:
    """What is read of a sample, or the error."""
    try:
        return read(sample)
    except DataError as error:
        return error
