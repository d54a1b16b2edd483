"""The models of a server, by name."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from maskwright.errors import ConfigError, MaskwrightError, ModelError
from maskwright.export.artifact import PREPARED, is_artifact, model_folder, unpacked
from maskwright.export.engines import SHARED, Threads, cores
from maskwright.export.ensemble import is_ensemble
from maskwright.export.listing import read_listing
from maskwright.inference.predictor import Predictor, Segmenter
from maskwright.model_card import (
    CARD_FILE,
    SEGMENTER,
    InstanceCard,
    ModelCard,
    SemanticCard,
    read_task,
)
from maskwright.serving.jobs.dynamic_batching import DynamicBatcher, SerializedModel
from maskwright.tasks.instances import InstancePredictor
from maskwright.tasks.regions.pipeline import Pipeline
from maskwright.tasks.semantic.load import open_masks

ModelKind = Literal["segmentation", "objects", "regions"]

_SETTINGS_FILE = "plan.yaml"  # of a run; the first that is written
_USUAL_SIDE_PX = 256
_ONE = Threads(1, shared=True)


@dataclass(frozen=True)
class Served:
    """A model that answers.

    Args:
        name: In addresses.
        kind: What it gives: masks, objects, or decisions on regions.
        model: Of that kind; may be called by several threads.
    """

    name: str
    kind: ModelKind
    model: Predictor | InstancePredictor | Pipeline

    @property
    def card(self) -> ModelCard:
        """How the model is used."""
        return self.model.classifier.card if isinstance(self.model, Pipeline) else self.model.card

    @property
    def segmenter(self) -> Segmenter | None:
        """What draws masks; `None` where a model decides on given ones alone."""
        if isinstance(self.model, Pipeline):
            return self.model.segmenter
        return self.model


class Models(Mapping[str, Served]):
    """Models by name, in the order in which they were named.

    Args:
        places: Folders or files by name; those of runs that are still training too.
        on_message: Called with what is done to open them.
    """

    def __init__(
        self, places: Mapping[str, Path], on_message: Callable[[str], None] = lambda _: None
    ) -> None:
        self.places = dict(places)
        self.on_message = on_message
        self.counted: Callable[[int], None] = lambda _: None  # images that an engine is given
        self._opened: dict[str, Served] = {}
        self._tried: set[str] = set()

    def __getitem__(self, name: str) -> Served:
        return self._opened[name]

    def __iter__(self) -> Iterator[str]:
        return iter([name for name in self.places if name in self._opened])

    def __len__(self) -> int:
        return len(self._opened)

    @property
    def runs(self) -> dict[str, Path]:
        """Folders of those that are runs, finished or not."""
        return {n: path for n, path in self.places.items() if (path / _SETTINGS_FILE).is_file()}

    def add(self, served: Served) -> None:
        """Answer with a model that is open already."""
        self._opened[served.name] = served
        self._tried.add(served.name)

    def open_new(self) -> None:
        """Open the models that are there and not open; of a run in training there is none yet.

        Raises:
            ModelError: If one cannot be opened, which is not tried again.
        """
        for name, path in self.places.items():
            if name not in self._tried and not _in_training(path):
                self._tried.add(name)
                self.add(self._open(name, path))

    def _open(self, name: str, path: Path) -> Served:
        kind = _kind(path)
        if kind == "regions":
            served = Served(name, "regions", self._pipeline(path))
        elif kind == "objects":
            served = Served(name, "objects", _one_at_a_time(InstancePredictor.load(path, SHARED)))
        else:
            served = Served(name, "segmentation", self._predictor(path))
        _warm(served)
        return served

    def _predictor(self, path: Path) -> Predictor:
        """Of a run, what was prepared of it for the fastest engine, which is made if need be."""

        def load(threads: Threads) -> Predictor:
            return open_masks(path, threads, lambda: True, self.on_message)

        return self._batched(load, path)

    def _pipeline(self, path: Path) -> Pipeline:
        pipeline = Pipeline.load(path, SHARED)
        pipeline.classifier.decide = SerializedModel(pipeline.classifier.decide)
        drawing = pipeline.segmenter
        inner = model_folder(path) / SEGMENTER
        if isinstance(drawing, Predictor):
            drawing = self._batched(lambda threads: Predictor.load(inner, threads), inner)
        elif isinstance(drawing, InstancePredictor):
            drawing = _one_at_a_time(drawing)
        return Pipeline(pipeline.classifier, drawing, pipeline.flips)

    def _batched(self, load: Callable[[Threads], Predictor], path: Path) -> Predictor:
        """A predictor whose engine takes images of several callers."""
        whole = load(SHARED)
        beside = load(_ONE).logits if cores() > 1 and _runs_beside(path) else None
        logits = DynamicBatcher(whole.logits, beside, cores(), lambda images: self.counted(images))
        return Predictor(logits, whole.card)


def open_models(
    sources: Sequence[str],
    on_message: Callable[[str], None] = lambda _: None,
) -> Models:
    """Models of a server, opened.

    Args:
        sources: Folders of runs, finished or in training, or of ensembles, or exported models;
            `NAME=PATH` gives one another name than that of its folder.
        on_message: Called with what is done to open them.

    Raises:
        ConfigError: If two have one name, or a name cannot stand in an address.
        ModelError: If there is no model, or it cannot be opened.
    """
    places: dict[str, Path] = {}
    for source in sources:
        name, path = _named(source)
        if name in places:
            raise ConfigError(
                f"Two models have the name {name}, {places[name]} and {path}; give one another: "
                f"NAME={path}."
            )
        places[name] = path
    models = Models(places, on_message)
    models.open_new()
    return models


def _named(source: str) -> tuple[str, Path]:
    given, sign, rest = source.partition("=")
    if sign and not Path(source).exists():
        name, path = given, Path(rest)
    else:
        path = Path(source)
        name = re.sub(r"[^A-Za-z0-9._-]+", "-", path.resolve().name.removesuffix(".maskwright"))
    if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,99}", name):
        raise ConfigError(
            f"Expected the name of a model to be letters, digits, dots, dashes and underscores, "
            f"received {name!r}; name it so: NAME={path}."
        )
    if not path.exists():
        raise ModelError(f"There is no model {path}; name a run or an exported model.")
    return name, path


def _in_training(path: Path) -> bool:
    """Whether a folder is that of a run that has no model yet; its card is written last."""
    return (
        (path / _SETTINGS_FILE).is_file()
        and not is_artifact(path)
        and not is_ensemble(path)
        and not (path / CARD_FILE).is_file()
    )


def _kind(path: Path) -> str:
    card = model_folder(path) / CARD_FILE
    return read_task(card) if card.is_file() else SemanticCard.task


def _runs_beside(path: Path) -> bool:
    """Whether several threads may run a network, exported or prepared, at the same time."""
    place = path if is_artifact(path) else path / PREPARED
    return is_artifact(place) and read_listing(unpacked(place)).format == "onnx"


def _one_at_a_time(finder: InstancePredictor) -> InstancePredictor:
    return InstancePredictor(SerializedModel(finder.say), finder.card)


def _warm(served: Served) -> None:
    """Run a model once, so that the first who asks does not wait for its engine to get ready."""
    segmenter = served.segmenter
    if segmenter is None:
        return
    card: SemanticCard | InstanceCard = segmenter.card
    size = card.size or (card.tile or _USUAL_SIDE_PX,) * 2
    try:
        segmenter(np.zeros((*size, card.channels), card.dtype))
    except MaskwrightError as error:
        raise ModelError(f"The model {served.name} does not run: {error}") from error
