"""trust.json of models without masks of classes: promises as plain values, beside the card."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any, ClassVar, Self

from pydantic import TypeAdapter

from maskwright.errors import ModelError
from maskwright.model_card import TRUST_FILE
from maskwright.reliability.options import AGAIN, require_same_use
from maskwright.reliability.promises import basis_of
from maskwright.reliability.record import reading_record, write_record


@dataclass(frozen=True, kw_only=True)
class PlainTrust:
    """What is common to records of promises that need no arrays; a subclass adds the promises.

    Args:
        model_sha256: Of the model, as on its card.
        data: Folder of the calibration images.
        split: Their split.
        is_approximate: Whether the model was also selected by them.
        images: Their number.
        cases: Number of their cases.
        calibrated_with: How the model predicted, as plain values.
        asked: What was asked for, as `TrustOptions.asked`; empty where that is not known.
        notes: What was asked for and could not be promised, and what is offered instead.
        image_hashes: Of the calibration images, as `DataSet.content_hash`; none in older records.
        date: ISO 8601, UTC.
    """

    task: ClassVar[str]

    model_sha256: str
    data: str
    split: str
    is_approximate: bool
    images: int
    cases: int
    calibrated_with: Mapping[str, Any]
    asked: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    image_hashes: tuple[str, ...] = ()
    version: str = field(default_factory=lambda: metadata.version("maskwright"))
    date: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))

    @property
    def sentences(self) -> list[str]:
        """The promises in words."""
        raise NotImplementedError

    @property
    def remarks(self) -> list[str]:
        """What could not be promised, in words."""
        return list(self.notes)

    @property
    def basis(self) -> str:
        """What all promises rest on, and how far they reach."""
        return basis_of(self.cases, self.split, self.is_approximate)

    def check(self, path: Path, model_sha256: str, used: Mapping[str, Any]) -> None:
        """Raise `ModelError` where the promises do not hold for the way the model predicts.

        Args:
            path: Named in the message.
            model_sha256: Of the model that predicts, as on its card.
            used: How it predicts, as plain values.
        """
        require_same_use(path, (self.model_sha256, self.calibrated_with), (model_sha256, used))

    def to_dict(self) -> dict[str, Any]:
        """Plain values as trust.json holds them, without hashes."""
        values = asdict(self)
        del values["image_hashes"]
        return {"task": self.task, **values, "sentences": self.sentences}

    def write(self, folder: Path) -> None:
        """Write trust.json, in one step."""
        content = {**self.to_dict(), "image_hashes": self.image_hashes}
        write_record(folder / TRUST_FILE, content)

    @classmethod
    def read(cls, folder: str | Path) -> Self:
        """Record in the folder of a model; `ModelError` where it is missing or damaged."""
        path = Path(folder) / TRUST_FILE
        with reading_record(path) as values:
            if (task := values.pop("task", None)) != cls.task:
                raise ModelError(
                    f"Expected promises of the task {cls.task} in {path}; received {task!r}: "
                    f"{AGAIN}."
                )
            del values["sentences"]
            return TypeAdapter(cls).validate_python(values)
