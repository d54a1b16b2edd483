"""`TrustRecord`: promises and doubts of a model, as trust.json and trust.npz beside its card."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any, Self

import numpy as np
from pydantic import TypeAdapter, ValidationError

from maskwright.data.samples import counted
from maskwright.errors import MaskwrightError, ModelError
from maskwright.imageio import atomic_write, read_arrays, write_text
from maskwright.inference.predictor import Flips
from maskwright.model_card import TRUST_ARRAYS_FILE as ARRAYS_FILE
from maskwright.model_card import TRUST_FILE as TRUST_FILE
from maskwright.model_card import checksum
from maskwright.reliability.class_trust import ClassTrust
from maskwright.reliability.familiarity import Familiarity, FamiliarityModel
from maskwright.reliability.mask_quality import QualityModel, lower_bound
from maskwright.reliability.options import AGAIN, calibrated_with, require_same_use
from maskwright.reliability.promises import REACH, Promise

FORMAT_VERSION = 1
"""Of every trust.json."""


@dataclass(frozen=True, eq=False, kw_only=True)
class TrustRecord:
    """Promises and doubts of a model.

    Args:
        model_sha256: Of the model, as on its card.
        data: Folder of the calibration images.
        split: Their split.
        is_approximate: Whether the model was also selected by them.
        images: Their number.
        cases: Number of their cases.
        calibrated_with: How masks were predicted, as `options.calibrated_with`.
        temperature_before: Of the card until then; that after it is in `calibrated_with`.
        classes: What is known of each class, by name.
        quality: Model of the expected Dice of each class, by name.
        familiarity: `None` where it could not be made.
        asked: What was asked for, as `TrustOptions.asked`; empty where that is not known.
        notes: What was asked for and could not be promised, and what is offered instead.
        image_hashes: Of the calibration images, as `DataSet.content_hash`; none in older records.
        date: ISO 8601, UTC.
    """

    model_sha256: str
    data: str
    split: str
    is_approximate: bool
    images: int
    cases: int
    calibrated_with: Mapping[str, Any]
    temperature_before: float
    classes: Mapping[str, ClassTrust]
    quality: Mapping[str, QualityModel]
    familiarity: Familiarity | None = None
    asked: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    image_hashes: tuple[str, ...] = ()
    version: str = field(default_factory=lambda: metadata.version("maskwright"))
    date: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))

    def bounds(self, name: str, features: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Expected Dice of masks of a class with features `(n, 3)`, and its lower bound, `(n,)`.

        The bound is nan where there were too few cases for one.
        """
        expected = self.quality[name].expected_dice(features)
        margin = self.classes[name].margin
        if margin is None:
            return expected, np.full_like(expected, np.nan)
        return expected, lower_bound(expected, margin)

    @property
    def promises(self) -> list[Promise]:
        """Of all classes."""
        return [promise for each in self.classes.values() for promise in each.promises]

    @property
    def remarks(self) -> list[str]:
        """What is known beside `promises`, in words, and then what is not."""
        before, after = self.temperature_before, self.calibrated_with["temperature"]
        lines = [
            f"Temperature {after:.3g} (before: {before:.3g}): logits are divided by it, so that "
            f"probabilities are shares of right pixels; from {counted(self.cases, 'case')}, "
            f"{REACH}."
        ]
        for name, each in self.classes.items():
            lines += each.remarks(name, self.is_approximate)
        if self.familiarity is not None:
            lines.append(self.familiarity.sentence)
        return [*lines, *self.notes]

    def for_engine(self, model_sha256: str, tolerance: float) -> Self:
        """Promises of the same model in another engine, whose probabilities differ by `tolerance`.

        `model_sha256` is on the card of the exported model. Thresholds move to the safe side.
        """
        classes = {
            name: replace(each, promises=tuple(p.safer(tolerance) for p in each.promises))
            for name, each in self.classes.items()
        }
        return replace(self, model_sha256=model_sha256, classes=classes)

    def to_dict(self) -> dict[str, Any]:
        """Plain values as trust.json holds them, without its checksums."""
        names = ("model_sha256", "data", "split", "is_approximate", "images", "cases")
        classes = {}
        for name, known in self.classes.items():
            promises = [{**asdict(p), "sentence": p.sentence} for p in known.promises]
            classes[name] = {**asdict(known), "promises": promises}
        return {
            **{name: getattr(self, name) for name in names},
            "calibrated_with": dict(self.calibrated_with),
            "temperature_before": self.temperature_before,
            "classes": classes,
            "asked": dict(self.asked),
            "notes": list(self.notes),
            "remarks": self.remarks,
            "version": self.version,
            "date": self.date,
        }

    def write(self, folder: Path) -> None:
        """Write trust.npz, then trust.json, which holds its checksum.

        Each replaces an older one in one step. Between the two steps, the older record fits neither
        file, and `read` says so.
        """
        arrays: dict[str, np.ndarray] = {
            f"quality_{place}": model.weights for place, model in enumerate(self.quality.values())
        }
        if self.familiarity is not None:
            model = vars(self.familiarity.model)
            arrays |= {f"familiarity_{key}": np.asarray(value) for key, value in model.items()}
            arrays["distances"] = self.familiarity.distances
            arrays["cases"] = self.familiarity.cases
        with atomic_write(folder / ARRAYS_FILE) as beside, beside.open("wb") as file:
            np.savez(file, allow_pickle=False, **arrays)
        digest = checksum(folder / ARRAYS_FILE)
        content = {"arrays_sha256": digest, **self.to_dict(), "image_hashes": self.image_hashes}
        write_record(folder / TRUST_FILE, content)

    @classmethod
    def valid(cls, folder: Path, card: Any, flips: Flips | None = None) -> Self:
        """Record in the folder of a model, whose promises hold for the way it predicts.

        Args:
            card: With what it predicts, also if that is not what it was trained with.
            flips: Test-time augmentation; `None` for that of the promises.

        Raises:
            ModelError: If a file is missing or damaged, the promises are those of another model,
                or size, tile, flips, temperature, threshold or cleaning are others.
        """
        record = cls.read(folder)
        flips = record.calibrated_with["flips"] if flips is None else flips
        used = card.model_sha256, calibrated_with(card, flips, folder)
        require_same_use(folder / TRUST_FILE, (record.model_sha256, record.calibrated_with), used)
        return record

    @classmethod
    def read(cls, folder: str | Path) -> Self:
        """Record in the folder of a model; `ModelError` where a file is missing or damaged."""
        path = Path(folder) / TRUST_FILE
        with reading_record(path) as values:
            digest, arrays_file = values.pop("arrays_sha256"), path.with_name(ARRAYS_FILE)
            if not arrays_file.is_file() or checksum(arrays_file) != digest:
                raise ModelError(
                    f"The checksum of {arrays_file} differs from that in {TRUST_FILE}, or the file "
                    f"is missing: copy both again, or {AGAIN}."
                )
            return cls(**_parsed(values, read_arrays(arrays_file, ModelError)))


def _parsed(values: dict[str, Any], arrays: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """Fields of a record from those of trust.json and the arrays of trust.npz."""
    del values["remarks"]
    for known in values["classes"].values():
        for promise in known["promises"]:
            del promise["sentence"]
    values["classes"] = TypeAdapter(dict[str, ClassTrust]).validate_python(values["classes"])
    for name in ("notes", "image_hashes"):
        values[name] = tuple(values.get(name, ()))
    quality = {
        name: QualityModel(arrays[f"quality_{place}"])
        for place, name in enumerate(values["classes"])
    }
    familiarity = None
    if "distances" in arrays:
        names = FamiliarityModel.__dataclass_fields__
        model: dict[str, Any] = {name: arrays[f"familiarity_{name}"] for name in names}
        model["residual"] = float(model["residual"])
        familiarity = Familiarity(FamiliarityModel(**model), arrays["distances"], arrays["cases"])
    return {**values, "quality": quality, "familiarity": familiarity}


def write_record(path: Path, values: Mapping[str, Any]) -> None:
    """Write a trust.json in one step, with its version and a checksum of all that it says."""
    content = {"format_version": FORMAT_VERSION, **values}
    content["content_sha256"] = _digest(content)
    write_text(path, json.dumps(content, indent=2, ensure_ascii=False) + "\n")


def _digest(content: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


@contextmanager
def reading_record(path: Path) -> Iterator[dict[str, Any]]:
    """Values of a trust.json; what they do not fit, in the body too, becomes a `ModelError`."""
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        if (version := values["format_version"]) != FORMAT_VERSION:
            raise ModelError(
                f"{path} has the format version {version!r}; this version of Maskwright reads "
                f"{FORMAT_VERSION}: {AGAIN}."
            )
        stated = values.pop("content_sha256", None)  # none in older records
        if stated is not None and stated != _digest(values):
            raise ModelError(f"{path} was changed after it was written; {AGAIN}.")
        del values["format_version"]
        yield values
    except ModelError:
        raise
    except (OSError, ValueError, KeyError, TypeError, RecursionError, MaskwrightError) as error:
        reason = type(error).__name__ if isinstance(error, ValidationError) else error
        raise ModelError(
            f"{path} is no record of promises ({reason}): copy it again, or {AGAIN}."
        ) from None
