"""Which files are written for which image: all different, and none of them an image itself."""

import os
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from maskwright.errors import ConfigError, DataError
from maskwright.imageio import find_images


@dataclass(frozen=True)
class Failure:
    """An image without a mask; `reason` is a sentence that names the file."""

    image: Path
    reason: str


@dataclass(frozen=True, slots=True)
class Job:
    """One image and the files to write for it; `None` for those not asked for."""

    image: Path
    mask: Path
    overlay: Path | None = None
    probabilities: Path | None = None
    panoptic: Path | None = None

    @property
    def files(self) -> tuple[Path, ...]:
        """Those to write."""
        every = (self.mask, self.overlay, self.probabilities, self.panoptic)
        return tuple(path for path in every if path is not None)


def plan_files(
    images: str | Path,
    out: Path,
    overlays: bool,
    probabilities: bool = False,
    panoptic: bool = False,
) -> list[Job]:
    """Files to write for every image; the folder for them is made.

    Raises:
        DataError: If there is no image.
        ConfigError: If a file in a folder of the images would be overwritten, or `out` cannot be
            made.
    """
    paths = find_images(images)
    root = Path(images)
    real: dict[Path, Path] = {}  # folders hold many images: each is followed to its place once
    if not root.is_dir():
        root = Path(os.path.commonpath([path.parent for path in paths]))
    elif out.resolve() != root.resolve():
        place = out.resolve()
        paths = [path for path in paths if not _real(path, real).is_relative_to(place)]
        if not paths:
            raise DataError(f"All images of {root} lie in {out}, the folder for the masks.")
    jobs = [
        Job(
            image=path,
            mask=out / f"{name}.png",
            overlay=out / "overlays" / f"{name}.jpg" if overlays else None,
            probabilities=out / "probabilities" / f"{name}.npz" if probabilities else None,
            panoptic=out / "panoptic" / f"{name}.png" if panoptic else None,
        )
        for path, name in zip(paths, _names([p.relative_to(root) for p in paths]), strict=True)
    ]
    folders = {_real(path, real).parent for path in paths}
    for job in jobs:
        for target in job.files:
            if _real(target, real).parent in folders and target.exists():
                raise ConfigError(
                    f"{target} lies among the images and would be overwritten; "
                    f"choose another folder for the masks."
                )
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"The folder {out} cannot be made: {error.strerror}.") from None
    return jobs


def failure(job: Job, error: DataError) -> Failure:
    """What went wrong with an image, in a sentence that names its file."""
    reason = str(error)
    return Failure(job.image, reason if str(job.image) in reason else f"{job.image}: {reason}")


def _names(paths: list[Path]) -> list[str]:
    """Paths without their endings; where two would be the same, both keep them."""
    names = [str(path.with_suffix("")) for path in paths]
    while True:
        counts = Counter(names)
        longer = [
            str(path) if counts[name] > 1 else name for path, name in zip(paths, names, strict=True)
        ]
        if longer == names:
            return names
        names = longer


def _real(path: Path, folders: dict[Path, Path]) -> Path:
    """Where a file lies once links are followed; `folders` keeps what is known of folders."""
    if path.is_symlink():
        return path.resolve()
    folder = path.parent
    if folder not in folders:
        folders[folder] = folder.resolve()
    return folders[folder] / path.name
