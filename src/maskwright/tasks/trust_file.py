"""trust.json of models without masks of classes: promises as plain values, beside the card."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any, ClassVar, Self

from pydantic import TypeAdapter, ValidationError

from maskwright.data.samples import counted
from maskwright.errors import MaskwrightError, ModelError
from maskwright.imageio import write_text
from maskwright.model_card import TRUST_FILE
from maskwright.reliability.promises import APPROXIMATE, REACH
from maskwright.reliability.record import AGAIN, require_same_use

_FORMAT_VERSION = 1


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
        notes: What was asked for and could not be promised, and what is offered instead.
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
    notes: tuple[str, ...] = ()
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
        approximate = f"; {APPROXIMATE}" if self.is_approximate else ""
        return (
            f"From {counted(self.cases, 'case')} of the split {self.split}{approximate}. Each "
            f"promise {REACH}."
        )

    def check(self, path: Path, model_sha256: str, used: Mapping[str, Any]) -> None:
        """Raise `ModelError` where the promises do not hold for the way the model predicts.

        Args:
            path: Named in the message.
            model_sha256: Of the model that predicts, as on its card.
            used: How it predicts, as plain values.
        """
        require_same_use(path, (self.model_sha256, self.calibrated_with), (model_sha256, used))

    def to_dict(self) -> dict[str, Any]:
        """Plain values as trust.json holds them."""
        return {"task": self.task, **asdict(self), "sentences": self.sentences}

    def write(self, folder: Path) -> None:
        """Write trust.json, in one step."""
        content = {"format_version": _FORMAT_VERSION, **self.to_dict()}
        write_text(folder / TRUST_FILE, json.dumps(content, indent=2, ensure_ascii=False) + "\n")

    @classmethod
    def read(cls, folder: str | Path) -> Self:
        """Record in the folder of a model; `ModelError` where it is missing or damaged."""
        path = Path(folder) / TRUST_FILE
        try:
            values = json.loads(path.read_text(encoding="utf-8"))
            if (version := values.pop("format_version")) != _FORMAT_VERSION:
                raise ModelError(
                    f"{path} has the format version {version!r}; this version of Maskwright reads "
                    f"{_FORMAT_VERSION}: {AGAIN}."
                )
            if (task := values.pop("task", None)) != cls.task:
                raise ModelError(
                    f"Expected promises of the task {cls.task} in {path}; received {task!r}: "
                    f"{AGAIN}."
                )
            del values["sentences"]
            return TypeAdapter(cls).validate_python(values)
        except ModelError:
            raise
        except (OSError, ValueError, KeyError, TypeError, RecursionError, MaskwrightError) as error:
            reason = type(error).__name__ if isinstance(error, ValidationError) else error
            raise ModelError(
                f"{path} is no record of promises ({reason}): copy it again, or {AGAIN}."
            ) from None
