"""Which files are written for which image: all different, and none of them an image itself."""

import os
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from maskwright.data.samples import unique_ids
from maskwright.errors import ConfigError, DataError
from maskwright.imageio import IMAGE_SUFFIXES, find_images, make_folder
from maskwright.imageio.files import SLIDE_SUFFIXES


@dataclass(frozen=True)
class Failure:
    """An image without a result; `reason` is a sentence that names the file."""

    image: Path
    reason: str


@dataclass(frozen=True, slots=True)
class Job:
    """One image and the files to write for it; `None` for those that are not requested.

    The path of the mask names the image in the manifest, also where its mask is given and so not
    written. A mask that ends in `.tif` is that of an image to be predicted by windows. `layers` are
    the masks of classes that overlap, written in its place; `bounds` outer and inner masks.
    """

    image: Path
    mask: Path
    overlay: Path | None = None
    probabilities: Path | None = None
    panoptic: Path | None = None
    polygons: Path | None = None
    mask_given: bool = False
    layers: tuple[Path, ...] = ()
    bounds: tuple[Path, ...] = ()

    @property
    def large(self) -> bool:
        """Whether the image is predicted by windows."""
        return self.mask.suffix == ".tif"

    @property
    def files(self) -> tuple[Path, ...]:
        """Files to write."""
        mask = None if self.mask_given or self.layers else self.mask
        others = (self.overlay, self.probabilities, self.panoptic, self.polygons)
        paths = (*self.layers, mask, *others, *self.bounds)
        return tuple(path for path in paths if path is not None)

    def name(self, out: Path) -> str:
        """Name of the image among the results in a folder, with its own folders, without ending."""
        return os.path.splitext(below(self.mask, out))[0]  # noqa: PTH122


@dataclass(frozen=True, slots=True)
class WorkItem:
    """What is predicted together: one image, or all images of a case.

    Args:
        settings: From `manifest.fingerprint`: differs where the results may.
    """

    jobs: tuple[Job, ...]
    settings: str
    case: str = ""


def plan_files(
    images: str | Path,
    out: Path,
    overlays: bool,
    probabilities: bool = False,
    panoptic: bool = False,
    polygons: bool = False,
    is_large: Callable[[Path], bool] | None = None,
) -> list[Job]:
    """Files to write for each image; the folder for them is made.

    Where images can be large, as `is_large` decides, whole slides are included. Raises `DataError`
    if there is no image, `ConfigError` if one would be overwritten or `out` cannot be made.
    """
    suffixes = IMAGE_SUFFIXES if is_large is None else IMAGE_SUFFIXES | SLIDE_SUFFIXES
    paths = find_images(images, suffixes)
    root = Path(images)
    # Folders hold many images: each is followed to its place once.
    resolved = cache(lambda folder: Path(folder).resolve())

    def folder_of(path: Path) -> Path:
        """Folder that an image lies in once links are followed."""
        if os.path.islink(path):  # noqa: PTH114
            return path.resolve().parent
        return resolved(os.path.dirname(path))  # noqa: PTH120

    if not root.is_dir():
        root = Path(os.path.commonpath([path.parent for path in paths]))
    elif out.resolve() != root.resolve():
        place = out.resolve()
        inside = {folder: folder.is_relative_to(place) for folder in map(folder_of, paths)}
        if any(inside.values()):
            paths = [path for path in paths if not inside[folder_of(path)]]
        if not paths:
            raise DataError(f"All images of {root} lie in {out}, the folder for the masks.")
    jobs = [
        Job(
            image=path,
            mask=out / f"{name}.{'tif' if is_large is not None and is_large(path) else 'png'}",
            overlay=out / "overlays" / f"{name}.jpg" if overlays else None,
            probabilities=out / "probabilities" / f"{name}.npz" if probabilities else None,
            panoptic=out / "panoptic" / f"{name}.png" if panoptic else None,
            polygons=out / "polygons" / f"{name}.geojson" if polygons else None,
        )
        for path, name in zip(paths, _names([below(p, root) for p in paths]), strict=True)
    ]
    folders = set(map(folder_of, paths))
    for job in jobs:
        for target in job.files:
            folder = resolved(os.path.dirname(target))  # noqa: PTH120
            if folder in folders and target.exists():
                raise ConfigError(
                    f"{target} lies among the images and would be overwritten; "
                    f"choose another folder for the masks."
                )
    make_folder(out)
    return jobs


def folder_names(names: Sequence[str]) -> list[str]:
    """A name for a folder of each class, all different whatever the case of their letters."""
    usable = [re.sub(r"[^\w+-]+", "_", name) for name in names]
    return unique_ids([(name,) for name in usable])


def describe(path: Path, reason: str) -> str:
    """Reason that names its file."""
    return reason if str(path) in reason else f"{path}: {reason}"


def below(path: Path, folder: Path) -> str:
    """Path of a file seen from a folder that it lies in; in a tenth of the time of `pathlib`."""
    return path.as_posix().removeprefix(f"{folder.as_posix()}/")


def _names(paths: list[str]) -> list[str]:
    """Paths without their endings; where two would be the same, both keep them."""
    names = [os.path.splitext(path)[0] for path in paths]  # noqa: PTH122  # faster, for many
    while True:
        counts = Counter(names)
        longer = [
            path if counts[name] > 1 else name for path, name in zip(paths, names, strict=True)
        ]
        if longer == names:
            return names
        names = longer
