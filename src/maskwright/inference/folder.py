"""Masks for a file, a folder or a glob; what is done is skipped, what cannot be read reported."""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from maskwright.data.parallel import progress
from maskwright.imageio import MAX_PIXELS
from maskwright.imageio.files import LONGEST_STEM
from maskwright.inference.large.predict_large import is_large
from maskwright.inference.manifest import Manifest, ManifestEntry, fingerprint
from maskwright.inference.output_paths import Failure, Job, plan_files
from maskwright.inference.pipeline import PredictOptions, do_jobs
from maskwright.inference.predictor import Flips, Predictor

DoJobs = Callable[[Sequence[Job], Callable[[float], None]], Iterator[ManifestEntry]]
"""From jobs, and a function told what was done, in images, to an entry for each, in any order."""

_LEFTOVER = re.compile(r"\.(?P<stem>.+)\.[0-9a-f]{8}(?P<suffix>\.\w+)")  # of `atomic_write`


@dataclass(frozen=True)
class FolderResult:
    """What became of the images, each in their order.

    Args:
        written: Masks that were written.
        failed: Images without a mask.
        skipped: Masks that an earlier run had written.
    """

    written: tuple[Path, ...]
    failed: tuple[Failure, ...]
    skipped: tuple[Path, ...] = ()

    def output(self, folder: Path) -> Path:
        """Where to look first."""
        return folder

    def summary(self) -> str:
        """What was written, in a sentence."""
        done = len(self.skipped)
        total = len(self.written) + len(self.failed) + done
        text = f"Wrote {len(self.written)} masks for {total} images"
        return f"{text}; skipped {done} that are done." if done else f"{text}."


def predict_folder(
    predictor: Predictor,
    images: str | Path,
    out: str | Path,
    *,
    flips: Flips = False,
    overlays: bool = False,
    probabilities: bool = False,
    batch_size: int = 8,
    max_pixels: int = MAX_PIXELS,
    overwrite: bool = False,
    large: bool = False,
    polygons: bool = False,
    on_message: Callable[[str], None] = lambda _: None,
) -> FolderResult:
    """Write `out/NAME.png`, a mask in the size of the image, for every image.

    Masks are 8-bit PNGs of labels with the colors of the classes as their palette. Folders within
    the folder of images, or below what the matches of a glob have in common, are kept. Images of
    one folder that differ only in their ending keep it: `cell.jpg.png`, `cell.tif.png`.

    Images of more than 2**25 pixels come after the others and get a mask `out/NAME.tif` from
    `predict_large`; their overlay is a reduced one, and their probabilities are not kept.

    `out/manifest.jsonl` gets a line for each. An image that it says was done by the same model with
    the same settings, and that has not changed since, is skipped.

    Args:
        predictor: Model and card; see `Predictor.adjusted` for thresholds and cleaning.
        images: A file, a folder with all folders in it, or a glob. A folder `out` inside the
            folder of images is left out, so that masks are not taken for images the next time.
        out: Folder for the masks, made where it is missing.
        flips: As in `Predictor.__call__`.
        overlays: Whether to write `out/overlays/NAME.jpg`, the classes laid over the image.
        probabilities: Whether to write `out/probabilities/NAME.npz` with `probabilities`, float16
            `(h, w, classes)`, before threshold and cleaning, and `names`, one for each class.
        batch_size: Images run at once where the model resizes them to one size, or small images
            of one size at native scale.
        max_pixels: Larger images are refused where they can only be decoded whole.
        overwrite: Whether to do again what is done.
        large: Whether all images are treated as large ones.
        polygons: Whether to write `out/polygons/NAME.geojson`; all images are then treated as
            large ones, because only their masks keep a georeference.
        on_message: Called with a sentence where a large image needs one.

    Raises:
        DataError: If no image is found, or a result cannot be written.
        ConfigError: If a file in a folder of the images would be overwritten, or `out` cannot be
            made.
    """
    out = Path(out)
    settings = fingerprint(predictor.card, flips)
    way = PredictOptions(flips, batch_size, max_pixels, on_message=on_message)
    jobs = plan_jobs(images, out, overlays, probabilities, large, polygons)
    do = partial(_here, predictor, out, settings, way)
    return do_missing(do, jobs, out, settings, overwrite)


def plan_jobs(
    images: str | Path,
    out: Path,
    overlays: bool,
    probabilities: bool,
    large: bool,
    polygons: bool,
) -> list[Job]:
    """What `predict_folder` is to read and write."""
    chosen = (lambda _: True) if large or polygons else is_large
    return plan_files(images, out, overlays, probabilities, polygons=polygons, is_large=chosen)


def do_missing(
    do: DoJobs, jobs: Sequence[Job], out: Path, settings: str, overwrite: bool
) -> FolderResult:
    """Do the jobs that the manifest does not know as done, and note them there.

    Args:
        do: Does them.
        jobs: All, in the order of the images.
        out: Folder of the masks.
        settings: From `fingerprint`.
        overwrite: Whether to do all of them.
    """
    manifest = Manifest(out)
    missing: list[Job] = []
    skipped: list[Path] = []
    for job in jobs:
        if not overwrite and manifest.is_done(job, settings):
            skipped.append(job.mask)
        else:
            missing.append(job)
    failed: dict[Path, str] = {}
    with progress("Predicting", len(missing)) as advance:
        for entry in do(missing, advance) if missing else ():
            manifest.add(entry)
            if entry.reason is not None:
                failed[out / entry.mask] = entry.reason
    manifest.finish(jobs)
    _sweep(missing)
    return FolderResult(
        tuple(job.mask for job in missing if job.mask not in failed),
        tuple(Failure(j.image, failed[j.mask]) for j in missing if j.mask in failed),
        tuple(skipped),
    )


def _here(
    predictor: Predictor,
    out: Path,
    settings: str,
    way: PredictOptions,
    jobs: Sequence[Job],
    advance: Callable[[float], None],
) -> Iterator[ManifestEntry]:
    """The jobs done in this process."""
    return do_jobs(predictor, jobs, out, settings, way, advance)


def _sweep(jobs: Iterable[Job]) -> None:
    """Remove what a killed program left beside the files of jobs that are done now."""
    names: dict[Path, set[str]] = {}
    for job in jobs:
        for path in job.files:
            names.setdefault(path.parent, set()).add(path.stem[:LONGEST_STEM] + path.suffix)
    for folder, own in names.items():
        for path in folder.glob(".*"):
            found = _LEFTOVER.fullmatch(path.name)
            if found and found["stem"] + found["suffix"] in own:
                path.unlink(missing_ok=True)
