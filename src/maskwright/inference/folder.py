"""Predict the images of a folder: what is done is skipped, what cannot be read is reported."""

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import TypeVar, get_args

from maskwright.data.parallel import progress
from maskwright.errors import ConfigError
from maskwright.export.engines import ALONE
from maskwright.imageio.files import LONGEST_STEM, sweep
from maskwright.inference.cluster import predict_on_cluster
from maskwright.inference.folder_plan import FolderOptions, FolderPlan, FolderResult
from maskwright.inference.manifest import Manifest, ManifestEntry
from maskwright.inference.output_paths import Failure, Job, WorkItem
from maskwright.inference.pipeline import PipelineOptions, predict_items
from maskwright.types import Engine

Result = TypeVar("Result")
PlanFolder = Callable[[str | Path, str | Path, Path, FolderOptions], FolderPlan[Result]]
"""From a model, images, a folder for the results and options to a plan: `Task.plan_folder`."""


def predict_folder(
    plan_folder: PlanFolder[Result],
    model: str | Path,
    images: str | Path,
    out: str | Path,
    options: FolderOptions,
) -> Result:
    """Predict all images of a folder with a model of any task, in this process or on a cluster.

    Folders within the folder of images, or below what the matches of a glob have in common, are
    kept. Images of one folder that differ only in their ending keep it: `cell.jpg.png`,
    `cell.tif.png`. `out/manifest.jsonl` gets a line for each image. An image that was done by the
    same model with the same settings, and that has not changed since, is skipped.

    Args:
        model: Folder of a run or an ensemble, or an exported model.
        images: A file, a folder with all folders in it, or a glob; a folder `out` inside of it is
            skipped.

    Raises `DataError` if no image is found or a result cannot be written, `ConfigError` if an image
    would be overwritten, `out` cannot be made or an option has no meaning for the task, and
    `ModelError` if the model cannot be opened.
    """
    if options.engine not in get_args(Engine):
        raise ConfigError(f"Expected the engine local or ray; received {options.engine!r}.")
    if options.engine == "ray":  # workers may run in other folders
        model, out = Path(model).absolute(), Path(out).absolute()
        if not str(images).startswith("tfds:"):
            images = Path(images).absolute()
        if options.classes is not None:
            options = replace(options, classes=Path(options.classes).absolute())
    return run_plan(plan_folder(model, images, Path(out), options), Path(out), options)


def run_plan(plan: FolderPlan[Result], out: Path, options: FolderOptions) -> Result:
    """Predict the items of a plan that the manifest does not list as done, and write the tables."""
    manifest = Manifest(out)
    done: list[WorkItem] = []
    missing: list[WorkItem] = []
    for item in plan.items:
        (done if not options.overwrite and manifest.is_done(item) else missing).append(item)
    jobs = [job for item in missing for job in item.jobs]
    failed: dict[Path, str] = {}
    with progress("Predicting", len(jobs)) as advance:
        pipeline = PipelineOptions(out, options.max_pixels)
        entries: Iterable[ManifestEntry] = ()
        if missing and options.engine == "ray":
            entries = predict_on_cluster(plan, missing, pipeline, options.address, advance)
        elif missing:
            entries = predict_items(plan.open(ALONE), missing, pipeline, advance)
        for entry in entries:
            manifest.add(entry)
            if entry.reason is not None:
                failed[out / entry.mask] = entry.reason
    manifest.finish(job for item in plan.items for job in item.jobs)
    _sweep(jobs)
    result = FolderResult(
        tuple(job.mask for job in jobs if job.mask not in failed),
        tuple(Failure(job.image, failed[job.mask]) for job in jobs if job.mask in failed),
        tuple(job.mask for item in done for job in item.jobs),
    )
    return plan.finish(result, manifest.records(plan.items))


def _sweep(jobs: Iterable[Job]) -> None:
    """Remove what a killed program left beside the files of jobs that are done now."""
    names: defaultdict[Path, set[str]] = defaultdict(set)
    for path in chain.from_iterable(job.files for job in jobs):
        names[path.parent].add(path.stem[:LONGEST_STEM] + path.suffix)
    for folder, done in names.items():
        sweep(folder, done)
