"""Images of DICOM: single frames, and the pixels of frames for volumes.

Pixels are what the file stores, rescaled to the unit of its modality (Hounsfield units of CT); a
window for display is not applied, and MONOCHROME1 is inverted, so that white is high everywhere.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from maskwright.errors import DataError
from maskwright.imageio.dicom.files import read_dicom
from maskwright.imageio.files import NamedBytes
from maskwright.imageio.header import Header, OpenImage, check_packing, check_size, reading

_PLUGINS = {
    "JPEG 2000": "pylibjpeg pylibjpeg-openjpeg",
    "JPEG-LS": "pyjpegls",
    "JPEG": "pylibjpeg pylibjpeg-libjpeg",
}
"""Packages that decode the compressions whose names begin so, the longer names first."""


@contextmanager
def open_dicom_image(path: Path | NamedBytes, start: bytes, max_pixels: int) -> Iterator[OpenImage]:
    """Open a DICOM image; `DataError` for several frames."""
    file = read_dicom(path)
    header, frames = dicom_header(path, file, max_pixels)
    if frames != 1:
        raise DataError(
            f"{path} holds {frames} frames; expected one image: open the folder of the file as a "
            f"data set of volumes, or predict the file itself."
        )

    def mask_values() -> tuple[np.ndarray, np.ndarray | None]:
        if file.get("LossyImageCompression") == "01":
            raise DataError(
                f"{path} was compressed with loss, which changes the values of a mask; expected "
                f"one without loss."
            )
        return dicom_stored(path, file), None

    yield OpenImage(header, lambda: dicom_frame(path, file), mask_values)


def dicom_header(path: Path | NamedBytes, file: Any, max_pixels: int) -> tuple[Header, int]:
    """Header of a frame, and the number of frames; `DataError` where there are no pixels."""
    try:
        height, width = int(file.Rows), int(file.Columns)
        samples = int(file.get("SamplesPerPixel", 1))
        frames = int(file.get("NumberOfFrames") or 1)
        bits = int(file.BitsStored)
        palette = file.PhotometricInterpretation == "PALETTE COLOR"
    except (AttributeError, TypeError, ValueError):
        raise DataError(
            f"{path} is a DICOM file without an image ({file.get('Modality') or 'no modality'}); "
            f"expected one with pixels."
        ) from None
    channels = 3 if palette or samples == 3 else 1
    if samples not in (1, 3) or frames < 1:
        raise DataError(f"{path} has {samples} samples in a pixel; expected 1 or 3.")
    check_size(path, height, width, channels, max_pixels)
    check_packing(path, height * width * samples * frames)
    small = bits <= 8 and not _is_signed(file) and not _rescales(file)
    dtype = "uint8" if small or channels == 3 else "float32"
    return Header(width, height, channels, dtype, "DICOM", False, 1), frames


def dicom_stored(path: Path | NamedBytes, file: Any, frame: int | None = 0) -> np.ndarray:
    """Values `(h, w, c)` of a frame as stored, colors as RGB; unused bits are cleared.

    `None` gives all frames, `(n, h, w, c)`.
    """
    from pydicom.pixels import get_decoder, pixel_array

    syntax = file.file_meta.get("TransferSyntaxUID") if hasattr(file, "file_meta") else None
    name = getattr(syntax, "name", str(syntax))
    plugin = next((p for start, p in _PLUGINS.items() if name.startswith(start)), "")
    hint = f"install a decoder with `pip install {plugin}`, or " if plugin else ""
    advice = f"{hint}decompress the file, for example with `gdcmconv --raw`"
    try:
        if syntax is None or not get_decoder(syntax).is_available:
            raise DataError(f"{path} is compressed as {name}, which cannot be decoded; {advice}.")
        values: np.ndarray = pixel_array(file, index=frame)
    except DataError:
        raise
    except NotImplementedError:
        raise DataError(f"{path} has the transfer syntax {name}, which is unknown.") from None
    except RuntimeError:
        raise DataError(
            f"{path} cannot be decoded as {name}: it is damaged, or of a kind that needs another "
            f"decoder; {advice}."
        ) from None
    except Exception as error:  # damaged files raise almost anything
        reason = " ".join(str(error).split())[:200].rstrip(".")
        raise DataError(f"{path} is damaged or incomplete ({reason}); copy it again.") from None
    stored, allocated = int(file.BitsStored), values.dtype.itemsize * 8
    if values.dtype.kind in "iu" and 0 < stored < allocated:
        spare = allocated - stored  # may hold an overlay
        values = (values << spare) >> spare
    samples = int(file.get("SamplesPerPixel", 1))
    shape = (int(file.Rows), int(file.Columns), samples)
    return values.reshape((-1, *shape) if frame is None else shape)


def dicom_frame(path: Path | NamedBytes, file: Any, frame: int = 0) -> np.ndarray:
    """Pixels `(h, w, c)` of a frame: colors, or inverted and rescaled as the file states.

    uint8 where that is all the file can hold, else float32.
    """
    stored = dicom_stored(path, file, frame)
    with reading(path):
        return _to_modality(file, stored, frame)


def _to_modality(file: Any, stored: np.ndarray, frame: int) -> np.ndarray:
    from pydicom.pixels import apply_color_lut, apply_modality_lut

    if file.PhotometricInterpretation == "PALETTE COLOR":
        colors: np.ndarray = apply_color_lut(stored[..., 0], file)
        return (colors >> 8).astype(np.uint8) if colors.dtype == np.uint16 else colors
    if stored.shape[2] == 3:
        extra = max(0, int(file.BitsStored) - 8)
        return (stored >> extra).astype(np.uint8)
    if file.PhotometricInterpretation == "MONOCHROME1" and stored.dtype.kind in "iu":
        top = -1 if _is_signed(file) else 2 ** int(file.BitsStored) - 1
        stored = (top - stored.astype(np.int64)).astype(stored.dtype)
    if int(file.BitsStored) <= 8 and not _is_signed(file) and not _rescales(file):
        return stored.astype(np.uint8)
    if "ModalityLUTSequence" in file:
        return np.asarray(apply_modality_lut(stored, file), np.float32)
    slope, intercept = _rescale(file, frame)
    return (stored * slope + intercept).astype(np.float32)


def _rescale(file: Any, frame: int = 0) -> tuple[float, float]:
    """Slope and intercept of a frame, by its functional group where it has one."""
    groups = [*(file.get("SharedFunctionalGroupsSequence") or [])[:1]]
    groups += [*(file.get("PerFrameFunctionalGroupsSequence") or [])[frame : frame + 1]]
    source = file
    for group in groups:
        source = (group.get("PixelValueTransformationSequence") or [source])[0]
    slope, intercept = source.get("RescaleSlope"), source.get("RescaleIntercept")
    empty = (None, "")
    return (
        1.0 if slope in empty else float(slope),
        0.0 if intercept in empty else float(intercept),
    )


def _rescales(file: Any) -> bool:
    return "ModalityLUTSequence" in file or _rescale(file) != (1.0, 0.0)


def _is_signed(file: Any) -> bool:
    return int(file.get("PixelRepresentation") or 0) == 1
