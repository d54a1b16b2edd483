"""What a trained model must be told and must tell: `card.json`, beside every model file."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import MISSING, asdict, dataclass, fields
from pathlib import Path
from typing import Any, ClassVar, Self, get_args

from maskwright.errors import DataError, ModelError
from maskwright.imageio import atomic_write
from maskwright.labels import Labels
from maskwright.types import InstanceMethod, Outside, RegionKind, Unit

CARD_FILE = "card.json"
"""Name of the card in the folder of a run or an artifact."""
MODEL_FILE = "model.keras"
"""Name of the Keras model in the folder of a run."""
SEGMENTER = "segmenter"
"""Folder, within a model of regions, of the model that draws the masks."""
NETWORK_FILE = "network.json"
"""Name of the description of the network, `Blueprint.to_json`, in the folder of a run."""

_SIZE = "a height and a width of at least 1, or null"
_PIXEL_DTYPES = ("uint8", "uint16", "float32")
_COMMANDS = {
    "segmentation": "`maskwright train`",
    "objects": "`maskwright train --set objects=…`",
    "regions": "`maskwright regions train`",
}


@dataclass(frozen=True, kw_only=True)
class ModelCard:
    """What the cards of all models share.

    Args:
        channels: Channels of the images that the model takes.
        dtype: Pixels it was trained on, `"uint8"`, `"uint16"` or `"float32"`; fed as float32 in
            the range of that type.
        temperature: Logits are divided by it before they become probabilities.
        model_sha256: Checksum of the model file.
        version: Maskwright that trained the model.
        data: Fingerprint of the training data.

    Raises:
        ModelError: If a value is out of its range.
    """

    kind: ClassVar[str]
    types: ClassVar[Mapping[str, Any]] = {
        "channels": int,
        "dtype": str,
        "temperature": float | int,
        "model_sha256": str,
        "version": str,
        "data": str,
    }

    channels: int
    dtype: str
    temperature: float = 1.0
    model_sha256: str
    version: str
    data: str

    def __post_init__(self) -> None:
        for name, kind in {**ModelCard.types, **self.types}.items():
            kind_name = getattr(kind, "__name__", str(kind))
            _require(isinstance(getattr(self, name), kind), name, kind_name, getattr(self, name))
        _require(self.channels >= 1, "channels", "at least 1", self.channels)
        _require(self.dtype in _PIXEL_DTYPES, "dtype", f"one of {_PIXEL_DTYPES}", self.dtype)
        _require(self.temperature > 0, "temperature", "above 0", self.temperature)

    def to_json(self) -> str:
        """JSON text that `from_json` reads back."""
        return json.dumps({"kind": self.kind, **self._values()}, indent=2) + "\n"

    def _values(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Card from JSON; raises `ModelError` for missing, unknown and wrong values."""
        try:
            values = json.loads(text)
        except json.JSONDecodeError as error:
            raise ModelError(f"The card is no valid JSON ({error}).") from None
        if not isinstance(values, dict):
            raise ModelError(f"The card must be a JSON object; received {type(values).__name__}.")
        kind = values.pop("kind", None)
        if kind != cls.kind:
            raise ModelError(
                f"Expected the card of a model for {cls.kind}, from {_COMMANDS[cls.kind]}; this is "
                f"for {kind}, from {_COMMANDS.get(kind, 'elsewhere')}: name another run, or use "
                f"the command for this one."
            )
        names = {field.name for field in fields(cls)}
        missing = {field.name for field in fields(cls) if field.default is MISSING} - values.keys()
        unknown = values.keys() - names
        if missing or unknown:
            raise ModelError(
                f"The card does not fit this version of Maskwright; "
                f"missing: {sorted(missing)}, unknown: {sorted(unknown)}."
            )
        return cls(**cls._from_values(values))

    @classmethod
    def _from_values(cls, values: dict[str, Any]) -> dict[str, Any]:
        return {k: tuple(v) if isinstance(v, list) else v for k, v in values.items()}

    def write(self, path: str | Path) -> None:
        """Write the card to a file, replacing it in one step."""
        with atomic_write(path) as beside:
            beside.write_text(self.to_json(), encoding="utf-8")

    @classmethod
    def read(cls, path: str | Path) -> Self:
        """Card from a file; raises `ModelError` where it is missing or does not fit."""
        text = _read(path)
        try:
            return cls.from_json(text)
        except ModelError as error:
            raise ModelError(f"{path}: {error}") from None


@dataclass(frozen=True, kw_only=True)
class SemanticCard(ModelCard):
    """Everything that using a model from images to masks needs; scaling of pixels is inside it.

    Args:
        labels: Names and colors of the classes.
        size: `(height, width)` that whole images are stretched to, px; `None` keeps their scale.
        tile: Side of the tiles that larger images are cut into at their own scale, px; `None`
            runs every image whole.
        threshold: With two classes, probability from which a pixel is foreground; with more,
            probability below which it is background. `None` takes the most probable class.
        min_area_px: Smaller components are removed, px of the original image.
        fill_holes_px: Holes of at most this area are filled, px of the original image.
        keep_largest: Only the largest component of each class is kept.
    """

    kind: ClassVar[str] = "segmentation"
    types: ClassVar[Mapping[str, Any]] = {
        "labels": Labels,
        "size": tuple | None,
        "tile": int | None,
        "threshold": float | int | None,
        "min_area_px": int,
        "fill_holes_px": int,
        "keep_largest": bool,
    }

    labels: Labels
    size: tuple[int, int] | None
    tile: int | None
    threshold: float | None
    min_area_px: int = 0
    fill_holes_px: int = 0
    keep_largest: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        _require(_is_size(self.size), "size", _SIZE, self.size)
        _require(self.tile is None or self.tile >= 1, "tile", "at least 1, or null", self.tile)
        _require(
            self.threshold is None or 0 < self.threshold < 1,
            "threshold",
            "between 0 and 1, or null",
            self.threshold,
        )
        _require(self.min_area_px >= 0, "min_area_px", "at least 0", self.min_area_px)
        _require(self.fill_holes_px >= 0, "fill_holes_px", "at least 0", self.fill_holes_px)
        if self.background is None:
            no_background = "nothing: the model has several classes and none is a background"
            _require(self.threshold is None, "threshold", no_background, self.threshold)
            _require(self.fill_holes_px == 0, "fill_holes_px", no_background, self.fill_holes_px)

    @property
    def background(self) -> int | None:
        """Label of what is no object: the class named so, else the first of two, else `None`."""
        if self.labels.background is None and self.labels.num_classes <= 2:
            return 0
        return self.labels.background

    def _values(self) -> dict[str, Any]:
        return {**super()._values(), "labels": self.labels.to_dict()}

    @classmethod
    def _from_values(cls, values: dict[str, Any]) -> dict[str, Any]:
        return {**super()._from_values(values), "labels": _labels(values)}


@dataclass(frozen=True, kw_only=True)
class InstanceCard(ModelCard):
    """Everything that using a model from images to single objects needs.

    Args:
        labels: Names and colors of the classes, the background first.
        method: How objects are found.
        size: `(height, width)` that whole images are stretched to, px; `None` keeps their scale.
        tile: Side of the tiles that larger images are cut into at their own scale, px; `None`
            runs every image whole.
        foreground: Probability from which a pixel belongs to an object, of `"centers"`.
        marker: Mean of depth and nearness to a center from which a pixel starts an object, of
            `"centers"`.
        score: Least score of an object.
        min_area_px: Smaller objects are left out, px of the original image.
    """

    kind: ClassVar[str] = "objects"
    types: ClassVar[Mapping[str, Any]] = {
        "labels": Labels,
        "method": str,
        "size": tuple | None,
        "tile": int | None,
        "foreground": float | int,
        "marker": float | int,
        "score": float | int,
        "min_area_px": int,
    }

    labels: Labels
    method: InstanceMethod
    size: tuple[int, int] | None
    tile: int | None
    foreground: float = 0.5
    marker: float = 0.5
    score: float = 0.5
    min_area_px: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        _require(
            self.method in get_args(InstanceMethod),
            "method",
            f"one of {get_args(InstanceMethod)}",
            self.method,
        )
        _require(_is_size(self.size), "size", _SIZE, self.size)
        _require(self.tile is None or self.tile >= 1, "tile", "at least 1, or null", self.tile)
        for name in ("foreground", "marker", "score"):
            value = getattr(self, name)
            _require(0 <= value < 1, name, "at least 0 and below 1", value)
        _require(self.min_area_px >= 0, "min_area_px", "at least 0", self.min_area_px)

    @property
    def background(self) -> int:
        """Label of what is no object: the first."""
        return 0

    def _values(self) -> dict[str, Any]:
        return {**super()._values(), "labels": self.labels.to_dict()}

    @classmethod
    def _from_values(cls, values: dict[str, Any]) -> dict[str, Any]:
        return {**super()._from_values(values), "labels": _labels(values)}


_KNOWN = {"unit": get_args(Unit), "regions": get_args(RegionKind), "outside": get_args(Outside)}
_SHARE = "above 0 and below 1"


@dataclass(frozen=True, kw_only=True)
class RegionCard(ModelCard):
    """Everything that using a model from masked regions to a decision needs.

    Args:
        names: What the decision may be, negative first.
        unit: What one decision is made on.
        regions: What a region of a mask is.
        size: Side of the square crops, px.
        context: Margin around the box of a region, as a share of its sides; `None` for the whole
            image instead.
        outside: What crops show there.
        value_range: Pixels that stand for black and white.
        measures: Names of the measures that the model takes, in their order.
        min_area_px: Smaller regions are left out, px of the original image.
        min_guess_px: Smaller regions of a segmenter's masks are left out as specks.
        full_scale: Value of a pixel that counts as full in measures of intensity; `None` for the
            largest of its type.
        threshold: Probability from which the decision is the second name.
    """

    kind: ClassVar[str] = "regions"
    types: ClassVar[Mapping[str, Any]] = {
        "names": tuple,
        "unit": str,
        "regions": str,
        "size": int,
        "context": float | int | None,
        "outside": str,
        "value_range": tuple,
        "measures": tuple,
        "min_area_px": int,
        "min_guess_px": int,
        "full_scale": float | int | None,
        "threshold": float | int,
    }

    names: tuple[str, str]
    unit: Unit
    regions: RegionKind
    size: int
    context: float | None
    outside: Outside
    value_range: tuple[float, float]
    measures: tuple[str, ...]
    min_area_px: int = 1
    min_guess_px: int = 1
    full_scale: float | None = None
    threshold: float = 0.5

    def __post_init__(self) -> None:
        super().__post_init__()
        _require(len(self.names) == 2, "names", "two names", self.names)
        for name, known in _KNOWN.items():
            received = getattr(self, name)
            _require(received in known, name, f"one of {', '.join(known)}", received)
        _require(self.size >= 1, "size", "at least 1", self.size)
        fits = self.context is None or self.context >= 0
        _require(fits, "context", "at least 0, or null", self.context)
        _require(len(self.value_range) == 2, "value_range", "two numbers", self.value_range)
        _require(self.min_area_px >= 1, "min_area_px", "at least 1", self.min_area_px)
        _require(0 < self.threshold < 1, "threshold", _SHARE, self.threshold)


def card_kind(path: str | Path) -> str:
    """Which of the cards a file is, by its `kind`; `ModelError` for none."""
    try:
        kind = json.loads(_read(path)).get("kind")
    except (json.JSONDecodeError, AttributeError):
        kind = None
    if kind not in _COMMANDS:
        raise ModelError(f"{path} is no card of Maskwright; copy the run or artifact again.")
    return str(kind)


def checksum(path: str | Path) -> str:
    """SHA-256 of a file, hexadecimal, as `Card.model_sha256` holds it."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _labels(values: Mapping[str, Any]) -> Labels:
    try:
        return Labels.from_dict(values["labels"])
    except (DataError, KeyError, TypeError, AttributeError) as error:
        raise ModelError(f"The labels of the card cannot be used: {error}") from None


def _is_size(size: tuple[int, ...] | None) -> bool:
    return size is None or (len(size) == 2 and all(isinstance(n, int) and n >= 1 for n in size))


def _require(holds: bool, name: str, expected: str, received: object) -> None:
    if not holds:
        raise ModelError(f"`{name}` of the card must be {expected}; received {received!r}.")


def _read(path: str | Path) -> str:
    try:
        return Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ModelError(f"The card {path} cannot be read: {error}.") from None
