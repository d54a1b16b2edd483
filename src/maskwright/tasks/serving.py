"""What a task gives the server: a model that several threads may call, and its answers as values.

Nothing here knows HTTP. `Task.serve` opens a model; the routes ask it alone.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from maskwright.errors import ConfigError
from maskwright.export.engines import Threads
from maskwright.imageio.windows import Windows
from maskwright.inference.prediction import Prediction
from maskwright.instances import Instances
from maskwright.labels import Color, Labels
from maskwright.model_card import RegionCard
from maskwright.model_card.postprocessing import Postprocessing

Engine = Callable[..., Any]
"""Function of arrays that runs a network."""


@dataclass(frozen=True)
class EngineSharing:
    """How a server lets several threads call one engine.

    Args:
        batch: From an engine of images, a function that opens the same network for one processor,
            and the folder of the model, to an engine that joins the images of waiting callers.
        serialize: From an engine to one that runs one call at a time.
        open_inner: Opens the model in a folder inside another model, under a name.
        prepare: Whether a faster engine may be exported into the folder of a run.
        allow_code: Whether an exported model may be opened whose format can run code.
    """

    batch: Callable[[Engine, Callable[[], Engine], Path], Engine]
    serialize: Callable[[Engine], Engine]
    open_inner: Callable[[str, Path], "ServedModel"]
    prepare: bool = True
    on_message: Callable[[str], None] = lambda _: None
    allow_code: bool = False

    @property
    def threads(self) -> Threads:
        """How engines are opened that all callers share."""
        return Threads(shared=True, allow_code=self.allow_code)


@dataclass(frozen=True)
class MaskSettings(Postprocessing):
    """How a mask is decided, as the page shows and changes it; the defaults stand for no mask.

    `threshold_of` is `"foreground"` for the probability of one class, `"winner"` for that of the
    most probable class, `"score"` for that of an object.
    """

    threshold: float | None = None
    threshold_of: str | None = None


@dataclass(frozen=True)
class MaskLayer:
    """A mask that the page shows and edits: the only one, or of overlapping classes one for each.

    Args:
        name: Class that it shows; `""` for the only mask.
        labels: Its classes; of a layer, what is not of the class, and the class.
        background: Label of the background, or `None`.
        settings: How the model decides it.
    """

    name: str
    labels: Labels
    background: int | None
    settings: MaskSettings

    @property
    def colors(self) -> Sequence[Color] | None:
        """As `write_large_mask` takes them."""
        return None if self.name else self.labels.colors


class TensorSpec(NamedTuple):
    """An output of the Open Inference Protocol, from a field of a `Prediction`; -1 sides vary."""

    name: str
    datatype: str
    shape: tuple[int, ...]
    field: str


LABELS = TensorSpec("labels", "INT32", (-1, -1, -1), "labels")


@dataclass(frozen=True)
class LargeImageJob:
    """An image of any size, and where its probabilities and its mask go.

    Args:
        mask_files: Files of the mask, of overlapping classes one for each.
        reduced: Whether probabilities are kept of some pixels only, because the image is large.
        add_probabilities: Takes top, left and probabilities `(rows, columns, classes)` of a window,
            and where it has no data, `(rows, columns)` or `None`.
        write_mask: Writes labels `(h, w)`, or layers `(h, w, classes)`, as `mask_files`.
    """

    path: Path
    windows: Windows
    max_pixels: int
    mask_files: tuple[Path, ...]
    reduced: bool
    add_probabilities: Callable[[int, int, np.ndarray, np.ndarray | None], None]
    write_mask: Callable[[np.ndarray], None]
    advance: Callable[[float], None]


class AssessedMask(NamedTuple):
    """A prediction with probabilities, and what promises of its model say of it.

    Args:
        masks: Plain values of JSON. Of masks, fields of a `MaskAssessment` for each class with
            promises, and `bound_holds_in`, in how many images the lower bound holds, in words; of
            objects, `class_name`, `set`, `score`, number of `objects` and `sentence` of each set.
        bounds: Masks bool `(h, w)` by `"outer"` or `"inner"` and the class; of objects, their
            numbers int32 `(h, w)`, 0 for none.
        sentences: The same for people.
        doubt: From 0 to 2, above 1 if the image is unlike the training images; `None` where that
            is not told.
        object_sets: Of each object of the prediction, the sets that it is in.
    """

    prediction: Prediction
    masks: list[dict[str, Any]]
    bounds: dict[tuple[str, str], np.ndarray]
    sentences: list[str]
    doubt: float | None = None
    object_sets: list[list[str]] | None = None


@dataclass(frozen=True)
class ServedSegmenter:
    """A model that predicts masks, and what its task does for a server.

    Args:
        predictor: Function from an image `(h, w, c)` to a `Prediction`, with `card` and `adjusted`;
            several threads call it.
        layers: Masks of an image, at least one.
        tensors: Outputs of the Open Inference Protocol; the first is the default.
        predict: From the predictor, images `(b, h, w, c)` and whether probabilities are wanted to
            predictions; `ConfigError` if there are no probabilities.
        predict_large: From the predictor and a job to all objects, by falling score and whatever
            their scores and areas, `None` for a model without; predicts piece by piece where it
            can, and writes the mask.
        has_objects: Whether objects are kept beside labels and probabilities, of images that are
            decoded whole, whatever their format.
        assess: From an adjusted card and an image `(h, w, c)` to what is known of its masks; raises
            `ModelError` where promises do not hold for the card, `DataError` for images that are
            too large. `None` for a model without promises.
    """

    predictor: Any
    layers: tuple[MaskLayer, ...]
    tensors: tuple[TensorSpec, ...]
    predict: Callable[[Any, np.ndarray, bool], list[Prediction]]
    predict_large: Callable[[Any, LargeImageJob], Instances | None]
    has_objects: bool = False
    assess: Callable[[Any, np.ndarray], AssessedMask] | None = None


class CaseImage(NamedTuple):
    """An image of a case, its pixels `(h, w, c)`, and its mask; without one, it is predicted.

    `is_edited` says that a predicted mask was changed since, so that no promise holds for it.
    """

    name: str
    pixels: np.ndarray
    mask: np.ndarray | Prediction | None = None
    is_edited: bool = False


class RegionDecisions(NamedTuple):
    """Decisions on regions, images or a case, and the regions they were made on; for JSON.

    `promises` says in words how often answers are right; each decision then has an `answer` and
    the `answer_set` of the classes that are possible. `None` without promises.
    """

    decisions: list[dict[str, Any]]
    regions: list[dict[str, Any]]
    promises: dict[str, Any] | None = None


@dataclass(frozen=True)
class ServedClassifier:
    """A model that decides on masked regions.

    Args:
        card: States the two answers, negative first, and the threshold of the second.
        decide: From the images of one case, taken one after another, and the name of the case to
            decisions; `ConfigError` if an image has no mask and none can be predicted.
    """

    card: RegionCard
    decide: Callable[[Iterable[CaseImage], str], RegionDecisions]


@dataclass(frozen=True)
class ServedModel:
    """A model that answers: predicts masks, unless they are always given, or decides on regions.

    `promises` are those of the model that hold for how a server predicts, in words.
    """

    name: str
    task: str
    segmenter: ServedSegmenter | None = None
    classifier: ServedClassifier | None = None
    promises: tuple[str, ...] = ()

    @property
    def masks(self) -> ServedSegmenter:
        """The segmenter; `ConfigError` if the model predicts no masks."""
        if self.segmenter is None:
            raise ConfigError(
                f"The model {self.name} decides on given masks and predicts none; ask /regions."
            )
        return self.segmenter
