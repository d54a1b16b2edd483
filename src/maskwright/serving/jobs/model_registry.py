"""The models of a server, by name."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from maskwright.errors import ConfigError, MaskwrightError, ModelError
from maskwright.export.artifact import PREPARED, is_artifact, unpacked
from maskwright.export.engines import cores
from maskwright.export.ensemble import is_ensemble
from maskwright.export.listing import read_listing
from maskwright.model_card import CARD_FILE
from maskwright.serving.jobs.dynamic_batching import DynamicBatcher, serialized
from maskwright.tasks.registry import stopped_note, task_of
from maskwright.tasks.serving import Engine, EngineSharing, ServedModel

_SETTINGS_FILE = "plan.yaml"  # of a run; written before it trains
_USUAL_SIDE_PX = 256


class ModelRegistry(Mapping[str, ServedModel]):
    """Open models by name, in the order of `places`: folders or files, also of runs in training."""

    def __init__(
        self,
        places: Mapping[str, Path],
        on_message: Callable[[str], None] = lambda _: None,
        allow_code: bool = False,
    ) -> None:
        self.places = dict(places)
        self.allow_code = allow_code
        self.on_message = on_message
        # Called with the name of a model and the number of images in a batch.
        self.on_batch: Callable[[str, int], None] = lambda _, __: None
        self._opened: dict[str, ServedModel] = {}
        self._tried: set[str] = set()

    def __getitem__(self, name: str) -> ServedModel:
        return self._opened[name]

    def __iter__(self) -> Iterator[str]:
        return iter([name for name in {**self.places, **self._opened} if name in self._opened])

    def __len__(self) -> int:
        return len(self._opened)

    @property
    def runs(self) -> dict[str, Path]:
        """Folders of the models that are runs, finished or not."""
        return {n: path for n, path in self.places.items() if (path / _SETTINGS_FILE).is_file()}

    def add(self, served: ServedModel) -> None:
        """Add a model that is open."""
        self._opened[served.name] = served
        self._tried.add(served.name)

    def open_new(self) -> None:
        """Open the models that are there and not open; of a run in training there is none yet.

        Raises `ModelError` if one cannot be opened, which is not tried again.
        """
        for name, path in self.places.items():
            if name not in self._tried and not _in_training(path):
                self._tried.add(name)
                if note := stopped_note(path):
                    self.on_message(note)
                served = self._open(name, path)
                _warm_up(served)
                self.add(served)

    def _open(self, name: str, path: Path, prepare: bool = True) -> ServedModel:
        open_inner = partial(self._open, prepare=False)
        batch = partial(self._batch, name)
        sharing = EngineSharing(
            batch, serialized, open_inner, prepare, self.on_message, self.allow_code
        )
        return task_of(path).serve(name, path, sharing)

    def _batch(
        self, name: str, engine: Engine, open_single: Callable[[], Engine], path: Path
    ) -> Engine:
        single = open_single() if cores() > 1 and _runs_concurrently(path) else None
        return DynamicBatcher(engine, single, cores(), lambda images: self.on_batch(name, images))


def open_models(
    sources: Sequence[str],
    on_message: Callable[[str], None] = lambda _: None,
    allow_code: bool = False,
) -> ModelRegistry:
    """Open the models of a server.

    Args:
        sources: Folders of runs, finished or in training, or of ensembles, or exported models;
            `NAME=PATH` gives one another name than that of its folder.
        allow_code: Open exported models whose format can run code.

    Raises:
        ConfigError: If two have one name, or a name cannot stand in an address.
        ModelError: If there is no model, or it cannot be opened.
    """
    places: dict[str, Path] = {}
    for source in sources:
        name, path = _parse_source(source)
        if name in places:
            raise ConfigError(
                f"Two models have the name {name}, {places[name]} and {path}; give one another: "
                f"NAME={path}."
            )
        places[name] = path
    models = ModelRegistry(places, on_message, allow_code)
    models.open_new()
    return models


def _parse_source(source: str) -> tuple[str, Path]:
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
        and not (path / "card.json").is_file()  # of an earlier version, which `load` refuses
    )


def _runs_concurrently(path: Path) -> bool:
    """Whether several threads may run a network, exported or prepared, at the same time."""
    place = path if is_artifact(path) else path / PREPARED
    return is_artifact(place) and read_listing(unpacked(place)).format == "onnx"


def _warm_up(served: ServedModel) -> None:
    """Run a model once, so that the first request does not wait for its engine to get ready."""
    if served.segmenter is None:
        return
    predictor = served.segmenter.predictor
    card = predictor.card
    size = card.size or (card.tile or _USUAL_SIDE_PX,) * 2
    usual = card.percentiles[2] if card.percentiles else 0  # black would be reported as too dark
    try:
        predictor(np.full((*size, card.channels), usual, card.dtype))
    except MaskwrightError as error:
        raise ModelError(f"The model {served.name} does not run: {error}") from error
