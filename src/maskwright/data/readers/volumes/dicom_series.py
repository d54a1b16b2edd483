"""Series of DICOM images: frames in the order of their places, without what names the patient."""

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from maskwright.data.readers.volumes.grid import Grid
from maskwright.data.readers.volumes.volume import digest
from maskwright.data.samples import grouped
from maskwright.errors import DataError
from maskwright.imageio import IMAGE_SUFFIXES, MAX_PIXELS, natural_key
from maskwright.imageio.dicom.files import is_dicom, read_dicom
from maskwright.imageio.dicom.image import dicom_header
from maskwright.imageio.header import reading

MASK_MODALITIES = frozenset({"SEG", "RTSTRUCT"})
_OTHERS = IMAGE_SUFFIXES - {".dcm"} | {".txt", ".csv", ".json", ".xml", ".yaml", ".gz", ".nii"}
_SAME_DIRECTION = 3  # decimals of equal direction cosines
_EVEN = 0.02  # share of the distance of slices by which distances may differ

Vector = tuple[float, float, float]


@dataclass(frozen=True)
class Frame:
    """A frame of a DICOM image.

    Args:
        index: Its number in the file, from 0.
        instance: SOP instance UID of the file.
        number: By which frames are ordered where places are unknown.
        position: Center of the first pixel, mm from left and back, as DICOM has it; or `None`.
        directions: Of a row and of a column, unit vectors; or `None`.
        spacing_mm: From row to row and from column to column; or `None`.
    """

    path: Path
    index: int
    instance: str
    number: int
    position: Vector | None
    directions: tuple[Vector, Vector] | None
    spacing_mm: tuple[float, float] | None


@dataclass(frozen=True)
class Series:
    """Frames of one size and direction, in order.

    Args:
        patient: Its PatientID; `""` where it has none.
        size: Height and width of its frames, px.
        by_place: Whether the frames are in the order of their places, else of their numbers.
    """

    uid: str
    patient: str
    study: str
    modality: str
    size: tuple[int, int]
    dtype: str
    frames: tuple[Frame, ...]
    by_place: bool

    @property
    def key(self) -> str:
        """Tells it from all other series, without its UIDs."""
        return digest("".join(f"{frame.instance} {frame.index}" for frame in self.frames))

    @property
    def spacing_mm(self) -> tuple[float, float] | None:
        """Of its frames where all agree."""
        spacings = {frame.spacing_mm for frame in self.frames}
        return spacings.pop() if len(spacings) == 1 else None

    def grid(self) -> Grid | None:
        """Grid of the slices; `None` where places are unknown, or slices unevenly far apart."""
        first, spacing = self.frames[0], self.spacing_mm
        if not self.by_place or first.directions is None or spacing is None:
            return None
        places = np.array([frame.position for frame in self.frames], float)
        rows, columns = np.array(first.directions)
        step = np.cross(rows, columns)
        if len(places) > 1:
            steps = np.diff(places, axis=0)
            step = steps.mean(axis=0)
            length = float(np.linalg.norm(step))
            if length == 0 or np.abs(steps - step).max() > _EVEN * length:
                return None
        affine = np.eye(4)
        affine[:3, :3] = np.stack([rows * spacing[1], columns * spacing[0], step], axis=1)
        affine[:3, 3] = places[0]
        affine[:2] *= -1  # right and anterior are positive in a grid
        lines = tuple(tuple(float(value) for value in line) for line in affine)
        return Grid(lines, (self.size[1], self.size[0], len(self.frames)))


def dicom_files(root: Path) -> Iterator[Path]:
    """DICOM files in and below a folder by their first bytes, in natural order; or the file."""
    inside = (os.path.join(at, name) for at, _, names in os.walk(root) for name in names)  # noqa: PTH118
    paths = inside if root.is_dir() else [str(root)]
    # By the names alone first: folders hold many images of other formats.
    others = (path for path in paths if os.path.splitext(path)[1].lower() not in _OTHERS)  # noqa: PTH122
    for path in map(Path, sorted(others, key=natural_key)):
        if path.name.startswith(".") or path.name == "DICOMDIR" or not path.is_file():
            continue
        with path.open("rb") as file:
            if is_dicom(file.read(132)):
                yield path


def modality_of(path: Path) -> str:
    """Modality of a DICOM file; `""` where it cannot be read or states none."""
    try:
        with reading(path):
            return str(read_dicom(path, pixels=False).get("Modality") or "")
    except DataError:
        return ""


def list_series(paths: Iterable[Path]) -> tuple[list[Series], list[str]]:
    """Series of the images among DICOM files, and why others cannot be used."""
    frames: dict[tuple[str, ...], list[Frame]] = {}
    about: dict[tuple[str, ...], tuple[str, str, str, str, tuple[int, int], str]] = {}
    faults: list[str] = []
    seen: dict[str, Path] = {}
    for path in paths:
        try:
            with reading(path):
                file = read_dicom(path, pixels=False)
                if str(file.get("Modality")) in MASK_MODALITIES:
                    continue
                header, number = dicom_header(path, file, MAX_PIXELS)
                found = _frames(path, file, number)
                names = ("PatientID", "StudyInstanceUID", "Modality", "SeriesInstanceUID")
                patient, study, modality, uid = (str(file.get(name) or "") for name in names)
        except DataError as error:
            faults.append(str(error))
            continue
        if (first := seen.setdefault(found[0].instance, path)) != path:
            faults.append(f"{path} is the same image as {first}.")
            continue
        uid = uid or str(path.parent)
        for frame in found:
            direction = np.round(frame.directions or ((0,) * 3,) * 2, _SAME_DIRECTION) + 0.0
            key = (
                uid,
                patient,
                f"{header.height}x{header.width}x{header.channels}",
                str(direction.tolist()),
            )
            frames.setdefault(key, []).append(frame)
            size = (header.height, header.width)
            before = about[key][-1] if key in about else header.dtype
            dtype = header.dtype if header.dtype == before else "float32"
            about[key] = (uid, patient.strip(), study, modality, size, dtype)
    series = [Series(*about[key], *_ordered(inside)) for key, inside in frames.items()]
    return series, faults


def _frames(path: Path, file: Any, number: int) -> list[Frame]:
    """Frames of a file, with places by its functional groups where it has them."""
    shared = (file.get("SharedFunctionalGroupsSequence") or [None])[0]
    each = file.get("PerFrameFunctionalGroupsSequence") or []
    frames = []
    for index in range(number):
        groups = [group for group in (each[index] if index < len(each) else None, shared) if group]

        def look_up(sequence: str, name: str, groups: Sequence[Any] = groups) -> Any:
            inside = (group[sequence][0] for group in groups if group.get(sequence))
            return next((item.get(name) for item in inside), None) or file.get(name)

        cosines = _numbers(look_up("PlaneOrientationSequence", "ImageOrientationPatient"), 6)
        spacing = _numbers(look_up("PixelMeasuresSequence", "PixelSpacing"), 2)
        position = _numbers(look_up("PlanePositionSequence", "ImagePositionPatient"), 3)
        frames.append(
            Frame(
                path,
                index,
                str(file.get("SOPInstanceUID") or path.name),
                _integer(file.get("InstanceNumber")) * (number == 1) + index,
                None if position is None else (position[0], position[1], position[2]),
                None if cosines is None else (tuple(cosines[:3]), tuple(cosines[3:])),  # type: ignore[arg-type]
                None if spacing is None or min(spacing) <= 0 else (spacing[0], spacing[1]),
            )
        )
    return frames


def _ordered(frames: list[Frame]) -> tuple[tuple[Frame, ...], bool]:
    """Frames along their normal where all places are known, else by their numbers."""
    directions = frames[0].directions
    if directions is None or any(frame.position is None for frame in frames):
        return tuple(sorted(frames, key=lambda f: (f.number, natural_key(str(f.path))))), False
    normal = np.cross(*np.array(directions))
    along = {frame: float(np.dot(normal, np.array(frame.position))) for frame in frames}
    return tuple(sorted(frames, key=lambda f: (round(along[f], 3), f.number))), True


def by_path(frames: Iterable[Frame]) -> dict[Path, list[Frame]]:
    """Frames of each file."""
    return grouped(frames, lambda frame: frame.path)


def _numbers(values: Any, count: int) -> list[float] | None:
    try:
        numbers = [float(value) for value in values]
    except (TypeError, ValueError):
        return None
    return numbers if len(numbers) == count and np.isfinite(numbers).all() else None


def _integer(value: Any) -> int:
    try:
        return int(value)
    except (TypeError, ValueError, OverflowError):
        return 0
