"""Promises that are made again through the engine of an exported model that differs too much."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol, TypeVar

from maskwright.data.samples import counted
from maskwright.errors import ConfigError, DataError
from maskwright.inference.predictor import Flips
from maskwright.reliability.options import TrustOptions


class Calibrated(Protocol):
    """What records of promises have in common."""

    @property
    def split(self) -> str:
        """Of the calibration images."""

    @property
    def cases(self) -> int:
        """Number of their cases."""

    @property
    def image_hashes(self) -> tuple[str, ...]:
        """Of the calibration images; none in an older record."""

    @property
    def notes(self) -> tuple[str, ...]:
        """What could not be promised."""

    @property
    def asked(self) -> Mapping[str, Any]:
        """What was asked for, as `TrustOptions.asked`."""


Record = TypeVar("Record", bound=Calibrated)


def promises_again(
    record: Record,
    data: str | Path | None,
    make: Callable[[str | Path, TrustOptions], Record],
    because: str,
    flips: Flips = False,
) -> tuple[Record | None, list[str]]:
    """Promises as they were asked for then, and notes on what they rest on, or why there are none.

    Args:
        record: Of the run.
        data: With the calibration images, as `open_dataset` takes it.
        make: Makes promises through the engine of the exported model.
        because: Why those of the run do not hold for it.
        flips: Test-time augmentation of the run's promises.
    """
    told: list[str] = []
    try:
        if data is None:
            raise DataError(
                "Expected the data that they were made from (--data), to make them again; received "
                "none."
            )
        again = make(data, TrustOptions(**record.asked, flips=flips, on_message=told.append))
        if again.split != record.split:
            raise DataError(f"They were made from the split {record.split}; {data} has none.")
    except (ConfigError, DataError) as error:
        return None, [f"The promises are left out, because {because}. {error}"]
    told += [note for note in again.notes if note not in record.notes]
    others = set(again.image_hashes) - set(record.image_hashes)
    if record.image_hashes and others:
        told.append(
            f"{len(others)} of {counted(len(again.image_hashes), 'calibration image')} are not "
            f"among those of the run: the promises hold for new cases like those of {data}, no "
            f"longer for those of the run."
        )
    made = counted(again.cases, "case")
    return again, [*told, f"The promises were made again, from {made}, because {because}."]
