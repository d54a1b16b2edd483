"""Masks for the images of a folder: batches of one shape, large images by windows."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from maskwright.export.artifact import needs_tensorflow
from maskwright.export.engines import Threads
from maskwright.export.export_task import ExportTask
from maskwright.export.runtime import load_card
from maskwright.imageio import find_images
from maskwright.inference.adjustments import adjusted_card
from maskwright.inference.folder_plan import (
    FolderModel,
    FolderOptions,
    FolderPlan,
    FolderResult,
)
from maskwright.inference.large.predict_large import is_large
from maskwright.inference.manifest import Record, fingerprint
from maskwright.inference.output_paths import Job, WorkItem, folder_names, plan_files
from maskwright.inference.predictor import Predictor, check_flips
from maskwright.model_card import SemanticCard
from maskwright.reliability.record import TrustRecord
from maskwright.tasks.semantic.bounds import (
    bounds_model,
    read_promises,
    with_bounds,
    write_trust_table,
)
from maskwright.tasks.semantic.calibration.observe import ObservingPredictor, load_observed
from maskwright.tasks.semantic.export import EXPORT, open_masks
from maskwright.tasks.semantic.mask_model import mask_model
from maskwright.tasks.settings import refuse_options
from maskwright.types import ignore_message

_WORTH_PREPARING = 16  # images; preparing takes about as long as Keras takes for a hundred


def plan_folder(
    model: str | Path, images: str | Path, out: Path, options: FolderOptions
) -> FolderPlan[FolderResult]:
    """Plan of `out/NAME.png` for each image, or `out/NAME.tif` for a large one.

    Masks are 8-bit PNGs of labels with the colors of the classes as their palette. Images of more
    than 2**25 pixels, or all with `large` or `polygons`, are predicted by `predict_large`: their
    overlay is a reduced one, and they have no probabilities. Beside the masks go
    `overlays/NAME.jpg`, the classes over the image; `probabilities/NAME.npz` with `probabilities`,
    float16 `(h, w, classes)`, before threshold and post-processing, and `names` of the classes;
    and `polygons/NAME.geojson`. With `bounds`, each image is predicted alone, and there are
    `outer/CLASS/NAME.png`, `inner/CLASS/NAME.png` and `trust.csv`.
    """
    refuse_options(
        SemanticCard.task, ("flips", "probabilities", "large", "polygons", "bounds"), options
    )
    return plan_masks(EXPORT, model, images, out, options)


def plan_masks(
    task: ExportTask, model: str | Path, images: str | Path, out: Path, options: FolderOptions
) -> FolderPlan[FolderResult]:
    """As `plan_folder`, of a model of a task; of classes that overlap, each has a mask.

    They are `out/CLASS/NAME.png`, or `.tif` by windows: 255 in pixels of the class, 0 elsewhere,
    and 128 where the image has no data.
    """
    if options.engine == "ray" or options.bounds:
        card = adjusted_card(load_card(Path(model), _card_of(task)), options.adjustments)
        record = None
        if options.bounds:
            record = read_promises(model, card, options.flips)
        worker = replace(options, on_message=ignore_message)
        open_model = partial(_open, task, Path(model), out, worker, record)
        plan = _plan(card, images, out, options, open_model, record)
        return replace(plan, on_gpu=needs_tensorflow(Path(model)))
    # Of a single image, however large, little is read or written beside the engine.
    shared = not Path(images).is_file()
    threads = Threads(shared=shared, allow_code=options.allow_code)

    def many() -> bool:
        return len(find_images(images)) >= _WORTH_PREPARING

    predictor = open_masks(Path(model), threads, many, options.on_message, task)
    return plan_predictor(predictor.adjusted(**options.adjustments), images, out, options)


def plan_predictor(
    predictor: Predictor, images: str | Path, out: Path, options: FolderOptions
) -> FolderPlan[FolderResult]:
    """As `plan_folder`, with a model that is open; `options.adjustments` are not looked at."""
    folder_model = mask_model(predictor, options)
    return _plan(predictor.card, images, out, options, lambda _: folder_model)


def _plan(
    card: SemanticCard,
    images: str | Path,
    out: Path,
    options: FolderOptions,
    open_model: Callable[[Threads], FolderModel],
    record: TrustRecord | None = None,
) -> FolderPlan[FolderResult]:
    """As `plan_folder`, from the adjusted card and a function that opens the model.

    `record` is that of its promises, where bounds are made.
    """
    check_flips(card, options.flips)
    windows = (lambda _: True) if options.large or options.polygons else is_large
    jobs = plan_files(
        images,
        out,
        options.overlays,
        options.probabilities,
        polygons=options.polygons,
        is_large=windows,
    )
    if card.overlapping:
        names = folder_names(card.labels.names)
        jobs = [replace(job, layers=_layer_files(job, out, names)) for job in jobs]
    promised: list[object] = []
    finish: Callable[[FolderResult, list[Record]], FolderResult] = _without_tables
    if record is not None:
        jobs = with_bounds(jobs, record, out)
        promised = [record.to_dict()]
        finish = partial(write_trust_table, jobs, record, out, options.on_message)
    settings = fingerprint(card.to_json(), options.flips, *promised)
    items = [WorkItem((job,), settings) for job in jobs]
    return FolderPlan(items, open_model, finish)


def _without_tables(result: FolderResult, _: list[Record]) -> FolderResult:
    return result


def _layer_files(job: Job, out: Path, names: Sequence[str]) -> tuple[Path, ...]:
    return tuple(out / name / job.mask.relative_to(out) for name in names)


def _card_of(task: ExportTask) -> Any:
    return task.card


def _open(
    task: ExportTask,
    model: Path,
    out: Path,
    options: FolderOptions,
    record: TrustRecord | None,
    threads: Threads,
) -> FolderModel:
    threads = replace(threads, allow_code=options.allow_code)
    if record is not None:
        network, card = load_observed(model, threads, _card_of(task))
        observing = ObservingPredictor(network, adjusted_card(card, options.adjustments))
        return bounds_model(observing, record, out, options)
    predictor = Predictor.load(model, threads, _card_of(task))
    return mask_model(predictor.adjusted(**options.adjustments), options)
