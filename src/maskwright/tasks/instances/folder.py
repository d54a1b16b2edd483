"""Objects of the images of a folder: label images, overlays, tables over all images."""

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import partial
from itertools import chain
from pathlib import Path

import numpy as np

from maskwright.data.to_rgb import as_picture
from maskwright.display.objects import draw_objects
from maskwright.errors import DataError
from maskwright.export.artifact import model_folder, needs_tensorflow
from maskwright.export.engines import SHARED, Threads
from maskwright.export.runtime import load_card
from maskwright.imageio import write_image
from maskwright.inference.folder_plan import (
    Advance,
    FolderModel,
    FolderOptions,
    FolderPlan,
    ReadImage,
    Rejected,
    Work,
)
from maskwright.inference.manifest import Record, fingerprint
from maskwright.inference.output_paths import WorkItem, below, plan_files
from maskwright.inference.predictor import Predictor
from maskwright.instances import Instances
from maskwright.model_card import CARD_FILE, InstanceCard, SemanticCard
from maskwright.tasks.instances.detections import by_score
from maskwright.tasks.instances.panoptic import Merger, as_colors, segments_info
from maskwright.tasks.instances.predictor import (
    InstancePredictor,
    Output,
    adjusted_instance_card,
    tile_warning,
)
from maskwright.tasks.instances.tables import ObjectsResult, object_record, write_tables
from maskwright.tasks.settings import refuse_options
from maskwright.types import Alert, ignore_message


def plan_folder(
    model: str | Path, images: str | Path, out: Path, options: FolderOptions
) -> FolderPlan[ObjectsResult]:
    """Plan of `out/NAME.png`, 16 bits with the number of the object in each pixel.

    Beside them go `overlays/NAME.jpg` with the outlines, `objects.csv` with the class, the score,
    the place and the measures of each object, and `objects.json` as COCO has it, where masks may
    overlap. With `options.classes` there are `panoptic/NAME.png` and `panoptic.json` too, as COCO
    has panoptic masks, and overlays show them.

    Raises `ConfigError` too if the semantic model has no classes beside those of the objects.
    """
    refuse_options(InstanceCard.task, ("classes",), options)
    if options.engine != "ray":
        predictor, semantic = _load(model, options, SHARED)
        _warn(predictor.card, options)
        return plan_models(predictor, semantic, images, out, options)
    card = InstanceCard.read(model_folder(model) / CARD_FILE)
    card = adjusted_instance_card(card, options.adjustments)
    _warn(card, options)
    classes = None if options.classes is None else load_card(Path(options.classes))
    open_model = partial(_open, model, out, replace(options, on_message=ignore_message))
    plan = _plan(card, classes, images, out, options.overlays, open_model)
    return replace(plan, on_gpu=needs_tensorflow(Path(model)))


def plan_models(
    predictor: InstancePredictor,
    semantic: Predictor | None,
    images: str | Path,
    out: Path,
    options: FolderOptions,
) -> FolderPlan[ObjectsResult]:
    """As `plan_folder`, with models that are open; `options.adjustments` are not looked at.

    Args:
        semantic: Whose classes are merged with the objects, or `None`.
    """
    classes = None if semantic is None else semantic.card
    folder_model = _folder_model(predictor, semantic, out)
    return _plan(predictor.card, classes, images, out, options.overlays, lambda _: folder_model)


def _plan(
    card: InstanceCard,
    classes: SemanticCard | None,
    images: str | Path,
    out: Path,
    overlays: bool,
    open_model: Callable[[Threads], FolderModel],
) -> FolderPlan[ObjectsResult]:
    """As `plan_folder`, from the adjusted cards and a function that opens the models."""
    merger = _merger(card, classes)
    settings = fingerprint(card.to_json(), classes and classes.to_json())
    jobs = plan_files(images, out, overlays, panoptic=merger is not None)
    return FolderPlan(
        [WorkItem((job,), settings) for job in jobs],
        open_model,
        partial(write_tables, out, card, merger),
    )


def _warn(card: InstanceCard, options: FolderOptions) -> None:
    if warning := tile_warning(card):
        options.on_message(Alert(warning))


def _merger(card: InstanceCard, classes: SemanticCard | None) -> Merger | None:
    """What merges objects with the classes of a semantic model, if there is one."""
    return Merger(card.labels, classes.labels, classes.background) if classes else None


def _load(
    model: str | Path, options: FolderOptions, threads: Threads
) -> tuple[InstancePredictor, Predictor | None]:
    threads = replace(threads, allow_code=options.allow_code)
    predictor = InstancePredictor.load(model, threads).adjusted(**options.adjustments)
    if options.classes is None:
        return predictor, None
    return predictor, Predictor.load(options.classes, threads)


def _open(model: str | Path, out: Path, options: FolderOptions, threads: Threads) -> FolderModel:
    return _folder_model(*_load(model, options, threads), out)


def _folder_model(
    predictor: InstancePredictor, semantic: Predictor | None, out: Path
) -> FolderModel:
    merger = _merger(predictor.card, None if semantic is None else semantic.card)

    def predict(
        groups: Iterator[Iterable[ReadImage]], advance: Advance
    ) -> Iterator[Work | Rejected]:
        for image in chain.from_iterable(groups):
            started = time.perf_counter()
            try:
                output = predictor.output(image.prepared)
                classes = None if semantic is None else semantic(image.prepared).labels
            except DataError as error:
                yield Rejected(image, error)
                continue
            finally:
                advance(1)
            write = partial(_write, predictor, merger, image, output, classes, out)
            seconds = time.perf_counter() - started
            yield Work((image,), write, seconds, image.prepared.nbytes + _bytes_of(output))

    return FolderModel(predictor.card, lambda image, job: image, predict)


def _bytes_of(output: Output) -> int:
    """Roughly, with the label image that is made of it."""
    arrays = output.masks if isinstance(output, Instances) else output
    return sum(array.nbytes for array in arrays)


def _write(
    predictor: InstancePredictor,
    merger: Merger | None,
    image: ReadImage,
    output: Output,
    classes: np.ndarray | None,
    out: Path,
) -> Record:
    """Write the files of an image; gives what its tables need."""
    pixels, job = image.prepared, image.job
    objects = by_score(predictor.confident(predictor.decide(output)))
    merged = None if merger is None or classes is None else merger(objects, classes)
    write_image(job.mask, objects.ids().astype(np.uint16))
    segments = None
    if merged is not None:
        segments = {"file_name": below(job.mask, out), "segments_info": segments_info(merged)}
        if job.panoptic is not None:
            write_image(job.panoptic, as_colors(merged.ids))
    if job.overlay:
        outlined = objects if merged is None else merged.instances()
        write_image(job.overlay, draw_objects(as_picture(pixels), outlined))
    return object_record(job, pixels, objects, predictor.card.labels.names, segments)
