"""What a task gives so that its models can be exported, tried on examples, and compared."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from maskwright.data import DataSet
from maskwright.errors import ModelError
from maskwright.export.engines import ALONE, Threads
from maskwright.export.listing import SELFTEST_FILE
from maskwright.export.runtime import open_model
from maskwright.imageio import atomic_write, read_arrays
from maskwright.model_card import ModelCard
from maskwright.types import Format

PixelRange = tuple[float, float] | None
"""Pixel values that stand for black and white; `None` where the network does not say."""
Example = Mapping[str, np.ndarray]
"""Arrays by name: an `image (h, w, c)`, perhaps its `labels (h, w)`; or the inputs of bags."""

ExportPromises = Callable[
    [Path, Path, Format, float | None, Sequence[Example], str | Path | None], list[str]
]
"""As `ExportTask.promises`."""

_LEAST = 0.99  # share of an answer that must be as expected
_NEAR = 0.01  # of a probability; labels are equal or not
_OCTAVES = (4, 8, 16, 32, 64)
_RANGES = {"uint8": (0.0, 255.0), "uint16": (0.0, 65535.0), "float32": (0.0, 1.0)}


@dataclass(frozen=True)
class ParityLimits:
    """Largest difference, least agreement and largest fall of the mean Dice, as in `Parity`."""

    difference: float
    agreement: float
    dice: float


FLOAT = ParityLimits(difference=1e-3, agreement=0.999, dice=0.001)
INT8 = ParityLimits(difference=1.0, agreement=0.0, dice=0.005)


@dataclass(frozen=True)
class Parity:
    """Differences of two models on the same images, or the same bags of regions.

    Args:
        sizes: Heights and widths of the images; of bags, how many regions those of a batch have.
        images: Their number, or that of the bags.
        difference: Largest of two probabilities, of two values of a map, or of two scores.
        agreement: Share of the `compared` that agree; objects with a class, and an overlap of more
            than 0.5.
        dice_change: Mean Dice of the exported model less that of the other, against the true masks
            of those images that have one; or, where none has, its mean Dice against the labels of
            the other less 1. `None` for decisions.
        against: `"masks"` or `"model"`: what Dice was taken against; `None` without Dice.
        agreement_of: `"labels"`, `"decisions"` or `"objects"`: what agrees.
    """

    sizes: tuple[tuple[int, ...], ...]
    images: int
    difference: float
    agreement: float
    dice_change: float | None = None
    against: str | None = None
    agreement_of: str = "labels"
    compared: int = 0

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self)

    def summary(self) -> str:
        """One sentence with all differences."""
        if self.agreement_of == "decisions":
            counts = [number for size in self.sizes for number in size]
            where = f"{self.images} bags of {min(counts)} to {max(counts)} regions"
        else:
            sizes = " and ".join("x".join(map(str, size)) for size in self.sizes[:4])
            where = f"{self.images} images of {sizes} px"
        parts = [
            f"by at most {self.difference:.1e} in a "
            + ("map or a score" if self.agreement_of == "objects" else "probability"),
            f"in {1 - self.agreement:.4%} of the {self.compared:,} {self.agreement_of}",
        ]
        if self.dice_change is not None:
            parts.append(f"by {self.dice_change:+.5f} in Dice")
        listed = ", ".join(parts[:-1]) + " and " + parts[-1]
        return f"On {where} it differs from the run {listed}."

    def within(self, limits: ParityLimits) -> bool:
        """Whether the difference is allowed."""
        return (
            self.difference <= limits.difference
            and self.agreement >= limits.agreement
            and (self.dice_change is None or self.dice_change >= -limits.dice)
        )

    def require(self, limits: ParityLimits, engine: str) -> None:
        """Raise `ModelError` with what is beyond the limits."""
        if not self.within(limits):
            dice = "" if self.dice_change is None else f", and {-limits.dice:g} in Dice"
            raise ModelError(
                f"The model exported to {engine} differs from the original. {self.summary()} "
                f"Allowed are {limits.difference:g} and {1 - limits.agreement:.2%}{dice}: use "
                f"another format."
            )


@dataclass(frozen=True, kw_only=True)
class ExportTask:
    """How the models of a task are exported.

    A function below is the model as a function of arrays, of the kind that the task defines.

    Args:
        from_keras: Function of a Keras model.
        from_artifact: Function of the network in the folder of an artifact, from its format, the
            card and the threads of its engine.
        networks: From a Keras model and its card to the models to be written, by their folders in
            the artifact; the folder of a single one is `""`.
        examples: From the card, the pixels of black and white, and the Keras model (`None` for an
            ensemble) to drawn examples in two sizes; the first becomes the self-test.
        samples: From the card, a data set and a split to examples with labels; `None` where models
            are compared on drawn examples alone.
        compare: Parity of two functions on examples, with their card.
        answer: From a function, the card and an example to labels or probabilities.
        int8: Whether weights and activations may be written in eight bits.
        join: From the functions and cards of the members of an ensemble to the function of it;
            `None` where a task has no ensembles.
        outputs: From the folder of a run and its Keras model to the model with all outputs that are
            written; `None` for the model as it is.
        postprocess: From the folder of an artifact for ONNX, its card and its function: writes
            files that hold scaling and decisions, tries them, and gives notes on them; `None` where
            a task has none.
        image_files: Whether those files take images alone.
        promises: From the folders of a run and its exported model, the format, the largest
            difference as in `Parity` (`None` for eight bits), examples, and the data of the run, if
            given: writes its promises into the other folder, and gives notes on them.
    """

    card: type[ModelCard]
    limits: ParityLimits
    from_keras: Callable[[Any], Any]
    from_artifact: Callable[[Path, Format, Any, Threads], Any]
    networks: Callable[[Any, Any], Mapping[str, Any]]
    examples: Callable[[Any, PixelRange, Any], Sequence[Example]]
    samples: Callable[[Any, DataSet, str], Iterator[Example]] | None
    compare: Callable[[Any, Any, Any, Sequence[Example]], Parity]
    answer: Callable[[Any, Any, Example], np.ndarray]
    int8: bool = False
    join: Callable[[Sequence[tuple[Any, Any]]], Any] | None = None
    outputs: Callable[[Path, Any], Any] | None = None
    promises: ExportPromises | None = None
    postprocess: Callable[[Path, Any, Any], list[str]] | None = None
    image_files: bool = False

    def load(self, path: Path, threads: Threads = ALONE) -> tuple[Any, Any]:
        """Function and card of a single model, of a run or exported, as `open_model` opens it."""
        return open_model(path, self.card, self.from_keras, self.from_artifact, threads)


def drawn_image(
    card: ModelCard,
    size: tuple[int, int],
    seed: int,
    pixel_range: tuple[float, float] | None = None,
) -> np.ndarray:
    """Clouds at several scales with hard-edged discs, float32 `(h, w, channels)`, as `card` says.

    `pixel_range` holds the values for black and white, by default those of the card's type.
    """
    rng = np.random.default_rng([seed, *size])
    height, width = size
    image = np.zeros((height, width, card.channels), np.float32)
    for octave in _OCTAVES:
        grid = rng.uniform(-1, 1, (octave, octave, card.channels)).astype(np.float32)
        large = cv2.resize(grid, (width, height), interpolation=cv2.INTER_CUBIC)
        image += large.reshape(image.shape) / np.sqrt(octave)
    rows, columns = np.mgrid[:height, :width]
    for _ in range(12):
        top, left = rng.uniform(0, height), rng.uniform(0, width)
        radius = rng.uniform(0.03, 0.15) * min(height, width)
        inside = (rows - top) ** 2 + (columns - left) ** 2 < radius**2
        image[inside] += rng.uniform(-1, 1, card.channels).astype(np.float32)
    low, high = pixel_range or _RANGES[card.dtype]
    image = (image - image.min()) / max(float(np.ptp(image)), 1e-6)
    return (low + image * (high - low)).astype(np.float32)


def write_selftest(folder: Path, example: Example, expected: np.ndarray) -> None:
    """Write what an artifact is to be tried on, and what the exported model makes of it."""
    with atomic_write(folder / SELFTEST_FILE) as beside, beside.open("wb") as file:
        np.savez_compressed(file, expected=expected, allow_pickle=False, **example)


def self_test(folder: Path, answer: Callable[[Example], np.ndarray]) -> float:
    """Try an artifact on what it carries; the share of its answer that is as expected.

    `answer` gives its labels or probabilities for an example. Raises `ModelError` if less than 99 %
    of the labels, or of the probabilities by 0.01, are those expected, or nothing is carried.
    """
    path = folder / SELFTEST_FILE
    arrays = read_arrays(path, ModelError)
    try:
        expected = arrays.pop("expected")
    except KeyError:
        raise ModelError(f"{path} expects no output; export the model again.") from None
    actual = answer(arrays)
    near = np.abs(actual.astype(np.float32) - expected) <= _NEAR
    share = float(near.mean()) if actual.shape == expected.shape else 0.0
    if share < _LEAST:
        raise ModelError(
            f"{folder} reproduces {share:.1%} of the expected output of its self-test; expected at "
            f"least {_LEAST:.0%}: export the model again, or install the engine version listed in "
            f"artifact.json."
        )
    return share
