"""Files of DICOM: recognized by their first bytes, opened by pydicom in silence."""

import logging
import math
import warnings
from pathlib import Path
from typing import Any

from maskwright.errors import DataError
from maskwright.imageio.files import NamedBytes

DICOM_MAGIC = b"DICM"
"""What a DICOM file holds from its byte 128 on."""


def is_dicom(start: bytes) -> bool:
    """Whether the first 132 bytes of a file are those of DICOM."""
    return start[128:132] == DICOM_MAGIC


def dicom_origin(path: Path) -> tuple[str, tuple[float, float] | None]:
    """PatientID or `""`, and the spacing of rows and columns in mm or `None`, of a DICOM file."""
    try:
        file = read_dicom(path, pixels=False)
        patient, spacing = str(file.get("PatientID") or "").strip(), file.get("PixelSpacing")
        sides = [float(side) for side in spacing or ()]
    except Exception:  # damaged files raise almost anything; whoever reads the pixels tells of it
        return "", None
    known = len(sides) == 2 and all(0 < side < math.inf for side in sides)
    return patient, (sides[0], sides[1]) if known else None


def read_dicom(path: Path | NamedBytes, pixels: bool = True) -> Any:
    """Data set of pydicom; `DataError` without pydicom, or where the file is damaged."""
    try:
        import pydicom
    except ImportError:
        raise DataError(
            f"Reading {path} requires pydicom, which is not installed; install it with: pip "
            f'install "maskwright[medical]"'
        ) from None
    # Values are judged where they matter; what pydicom says of others may name patients.
    pydicom.config.settings.reading_validation_mode = pydicom.config.IGNORE
    logging.getLogger("pydicom").setLevel(logging.CRITICAL)
    warnings.filterwarnings("ignore", module=r"pydicom\b")
    try:
        with path.open("rb") as file:
            return pydicom.dcmread(file, stop_before_pixels=not pixels)
    except Exception as error:  # damaged files raise almost anything
        raise DataError(
            f"{path} is no readable DICOM file ({type(error).__name__}); copy it again or remove "
            f"it."
        ) from None
