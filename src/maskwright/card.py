"""What a trained model must be told and must tell: `card.json`, beside every model file."""

import hashlib
import json
from dataclasses import MISSING, asdict, dataclass, fields
from pathlib import Path
from typing import Any

from maskwright.errors import DataError, ModelError
from maskwright.imageio import atomic_write
from maskwright.labels import Labels

CARD_FILE = "card.json"
"""Name of the card in the folder of a run or an artifact."""
MODEL_FILE = "model.keras"
"""Name of the Keras model in the folder of a run."""

_PIXEL_DTYPES = ("uint8", "uint16", "float32")
_KINDS: dict[str, Any] = {
    "labels": Labels,
    "channels": int,
    "dtype": str,
    "size": tuple | None,
    "tile": int | None,
    "threshold": float | int | None,
    "min_area_px": int,
    "fill_holes_px": int,
    "keep_largest": bool,
    "temperature": float | int,
    "model_sha256": str,
    "version": str,
    "data": str,
}


@dataclass(frozen=True, kw_only=True)
class Card:
    """Everything that using a trained model needs; scaling of pixels is inside the model.

    Args:
        labels: Names and colours of the classes.
        channels: Channels of the images that the model takes.
        dtype: Pixels it was trained on, `"uint8"`, `"uint16"` or `"float32"`; fed as float32 in
            the range of that type.
        size: `(height, width)` that whole images are stretched to, px; `None` keeps their scale.
        tile: Side of the tiles that larger images are cut into at their own scale, px; `None`
            runs every image whole.
        threshold: With two classes, probability from which a pixel is foreground; with more,
            probability below which it is background. `None` takes the most probable class.
        min_area_px: Smaller components are removed, px of the original image.
        fill_holes_px: Holes of at most this area are filled, px of the original image.
        keep_largest: Only the largest component of each class is kept.
        temperature: Logits are divided by it before they become probabilities.
        model_sha256: Checksum of the model file.
        version: Maskwright that trained the model.
        data: Fingerprint of the training data.

    Raises:
        ModelError: If a value is out of its range.
    """

    labels: Labels
    channels: int
    dtype: str
    size: tuple[int, int] | None
    tile: int | None
    threshold: float | None
    min_area_px: int = 0
    fill_holes_px: int = 0
    keep_largest: bool = False
    temperature: float = 1.0
    model_sha256: str
    version: str
    data: str

    def __post_init__(self) -> None:
        for name, kind in _KINDS.items():
            kind_name = getattr(kind, "__name__", str(kind))
            _require(isinstance(getattr(self, name), kind), name, kind_name, getattr(self, name))
        size_fits = self.size is None or (
            len(self.size) == 2 and all(isinstance(n, int) and n >= 1 for n in self.size)
        )
        _require(self.channels >= 1, "channels", "at least 1", self.channels)
        _require(self.dtype in _PIXEL_DTYPES, "dtype", f"one of {_PIXEL_DTYPES}", self.dtype)
        _require(size_fits, "size", "a height and a width of at least 1, or null", self.size)
        _require(self.tile is None or self.tile >= 1, "tile", "at least 1, or null", self.tile)
        _require(
            self.threshold is None or 0 < self.threshold < 1,
            "threshold",
            "between 0 and 1, or null",
            self.threshold,
        )
        _require(self.min_area_px >= 0, "min_area_px", "at least 0", self.min_area_px)
        _require(self.fill_holes_px >= 0, "fill_holes_px", "at least 0", self.fill_holes_px)
        _require(self.temperature > 0, "temperature", "above 0", self.temperature)
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

    def to_json(self) -> str:
        """JSON text that `from_json` reads back."""
        return json.dumps({**asdict(self), "labels": self.labels.to_dict()}, indent=2) + "\n"

    @classmethod
    def from_json(cls, text: str) -> "Card":
        """Card from JSON; raises `ModelError` for missing, unknown and wrong values."""
        try:
            values = json.loads(text)
        except json.JSONDecodeError as error:
            raise ModelError(f"The card is no valid JSON ({error}).") from None
        if not isinstance(values, dict):
            raise ModelError(f"The card must be a JSON object; received {type(values).__name__}.")
        names = {field.name for field in fields(cls)}
        missing = {field.name for field in fields(cls) if field.default is MISSING} - values.keys()
        unknown = values.keys() - names
        if missing or unknown:
            raise ModelError(
                f"The card does not fit this version of Maskwright; "
                f"missing: {sorted(missing)}, unknown: {sorted(unknown)}."
            )
        try:
            values["labels"] = Labels.from_dict(values["labels"])
        except (DataError, KeyError, TypeError, AttributeError) as error:
            raise ModelError(f"The labels of the card cannot be used: {error}") from None
        if isinstance(values["size"], list):
            values["size"] = tuple(values["size"])
        return cls(**values)

    def write(self, path: str | Path) -> None:
        """Write the card to a file, replacing it in one step."""
        with atomic_write(path) as beside:
            beside.write_text(self.to_json(), encoding="utf-8")

    @classmethod
    def read(cls, path: str | Path) -> "Card":
        """Card from a file; raises `ModelError` where it is missing or does not fit."""
        try:
            text = Path(path).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise ModelError(f"The card {path} cannot be read: {error}.") from None
        try:
            return cls.from_json(text)
        except ModelError as error:
            raise ModelError(f"{path}: {error}") from None


def checksum(path: str | Path) -> str:
    """SHA-256 of a file, hexadecimal, as `Card.model_sha256` holds it."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _require(holds: bool, name: str, expected: str, received: object) -> None:
    if not holds:
        raise ModelError(f"`{name}` of the card must be {expected}; received {received!r}.")
