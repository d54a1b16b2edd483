"""The base of all model cards, and how their files are read."""

import hashlib
import json
import re
from collections.abc import Container
from dataclasses import MISSING, dataclass, fields
from functools import cache
from pathlib import Path
from typing import Annotated, Any, ClassVar, Self, get_type_hints

from pydantic import Field, PositiveFloat, PositiveInt, TypeAdapter, ValidationError

from maskwright.errors import DataError, ModelError
from maskwright.imageio import write_text
from maskwright.labels import Labels
from maskwright.types import Symmetry

CARD_FILE = "model_card.json"
"""Name of the card in the folder of a run or an artifact."""
MODEL_FILE = "model.keras"
"""Name of the Keras model in the folder of a run."""
SEGMENTER = "segmenter"
"""Folder, within a model of regions, of the model that predicts the masks."""
LEARNED_FILE = "learned_images.json"
"""Name of the record of images that a model has seen, in the folder of a run or an artifact."""
TRUST_FILE = "trust.json"
"""Name of the record of promises in the folder of a run or an artifact."""
TRUST_ARRAYS_FILE = "trust.npz"
"""Name of its arrays, whose checksum is in `TRUST_FILE`."""
NETWORK_FILE = "network.json"
"""Name of the description of the network, `Blueprint.to_json`, in the folder of a run."""
PERCENTILES = (0.1, 1.0, 50.0, 99.0, 99.9)
"""Percentages of the training pixels that lie below `ModelCard.percentiles`."""
_FORMAT_VERSION = 2  # cards of other versions are refused


@dataclass(frozen=True, kw_only=True)
class ModelCard:
    """What the cards of all models share.

    Args:
        channels: Channels of the images that the model takes.
        dtype: Pixels it was trained on, `"uint8"`, `"uint16"` or `"float32"`; fed as float32 in
            the range of that type.
        temperature: Logits are divided by it before they become probabilities.
        stopped: Whether training was stopped before its end; the model is the best until then.
        value_range: Pixel values of black and white in training.
        percentiles: Of the pixels of the training images, at `PERCENTILES`; empty if unknown.
        pixel_range: Pixel values of black and white in the images to predict; `None` for those of
            their type, in which 8 and 16 bits are turned into each other.
        symmetries: Flips and rotations that it was trained with; others are not used to predict.
    """

    task: ClassVar[str]
    command: ClassVar[str]
    hub_task: ClassVar[str] = "image-segmentation"
    """What Hugging Face calls the task."""
    overlapping: ClassVar[bool] = False
    """Whether a pixel may belong to several classes, each of which has a layer of its own."""

    channels: PositiveInt
    dtype: Annotated[str, Field(pattern="^(uint8|uint16|float32)$")]
    temperature: PositiveFloat = 1.0
    value_range: tuple[float, float] = (0.0, 255.0)
    percentiles: tuple[float, ...] = ()
    pixel_range: tuple[float, float] | None = None
    symmetries: tuple[Symmetry, ...] = ()
    model_sha256: str
    version: str
    data: str
    stopped: bool = False

    def __post_init__(self) -> None:
        card: Any = type(self)
        for name, adapter in _field_types(card).items():
            value = getattr(self, name)
            try:
                adapter.validate_python(value, strict=True)
            except ValidationError as error:
                problem = error.errors()[0]
                expected = re.sub(r"^\w+ should", "must", problem["msg"])
                if problem["type"] == "missing":  # the end of a tuple
                    expected = "must have more entries"
                raise wrong_value(name, expected, value) from None

    @property
    def class_names(self) -> tuple[str, ...]:
        """Names of the classes, by label."""
        raise NotImplementedError

    def to_json(self) -> str:
        """JSON text that `from_json` reads back."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        content = {"format_version": _FORMAT_VERSION, "task": self.task, **values}
        return json.dumps(content, indent=2, default=Labels.to_dict) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Card from JSON; `ModelError` for missing, unknown and wrong values."""
        values = _parsed(text)
        task = values.pop("task")
        if task != cls.task:
            raise ModelError(
                f"Expected the model card of a run of `{cls.command}`, for the task {cls.task}; "
                f"this one is for the task {task}: name another run, or use the command for it."
            )
        missing = {field.name for field in fields(cls) if field.default is MISSING} - values.keys()
        unknown = values.keys() - {field.name for field in fields(cls)}
        if missing or unknown:
            raise ModelError(
                f"The card does not fit this version of Maskwright; "
                f"missing: {sorted(missing)}, unknown: {sorted(unknown)}."
            )
        values = {k: tuple(v) if isinstance(v, list) else v for k, v in values.items()}
        if "labels" in values:
            try:
                values["labels"] = Labels.from_dict(values["labels"])
            except (DataError, KeyError, TypeError, AttributeError) as error:
                raise ModelError(f"The labels of the card cannot be used: {error}") from None
        return cls(**values)

    def write(self, path: str | Path) -> None:
        """Write the card to a file, replacing it in one step."""
        write_text(path, self.to_json())

    @classmethod
    def read(cls, path: str | Path) -> Self:
        """Card from a file; `ModelError` where it is missing or does not fit."""
        text = _read(path)
        try:
            return cls.from_json(text)
        except ModelError as error:
            raise ModelError(f"{path}: {error}") from None


def read_task(path: str | Path, known: Container[str] | None = None) -> str:
    """Name of the task of a card; `ModelError` if it is not among those `known`."""
    try:
        task = str(_parsed(_read(path))["task"])
    except ModelError as error:
        raise ModelError(f"{path}: {error}") from None
    if known is not None and task not in known:
        raise ModelError(
            f"{path} is for the task {task}, which this version of Maskwright does not have; "
            f"install the version that trained the model."
        )
    return task


def was_stopped(path: str | Path) -> bool:
    """Whether training of the model of a card was stopped before its end."""
    return bool(_parsed(_read(path)).get("stopped"))


def checksum(path: str | Path) -> str:
    """SHA-256 of a file, hexadecimal, as `ModelCard.model_sha256` holds it."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _read(path: str | Path) -> str:
    path = Path(path)
    if not path.exists() and path.with_name("card.json").exists():
        raise ModelError(
            f"{path.parent} was written by a version of Maskwright before {CARD_FILE} was "
            f"introduced and cannot be read; train or export the model again."
        )
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ModelError(f"The card {path} cannot be read: {error}.") from None


def _parsed(text: str) -> dict[str, Any]:
    """Values of a card of this version of the format, without that version."""
    try:
        values = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ModelError(f"The card is no valid JSON ({error}).") from None
    if not isinstance(values, dict) or "task" not in values:
        raise ModelError("This is no model card of Maskwright; copy the run or artifact again.")
    version = values.pop("format_version", None)
    if version != _FORMAT_VERSION:
        raise ModelError(
            f"The card has the format version {version!r}; this version of Maskwright reads "
            f"{_FORMAT_VERSION}: train or export the model again."
        )
    return values


def wrong_value(name: str, expected: str, value: object) -> ModelError:
    """Error for a field of a card that does not hold what is expected."""
    return ModelError(f"`{name}` {expected}; received {value!r}.")


@cache
def _field_types(card: Any) -> dict[str, TypeAdapter[Any]]:
    """Type of each field of a card, with its range."""
    hints = get_type_hints(card, include_extras=True)
    return {field.name: TypeAdapter(hints[field.name]) for field in fields(card)}
