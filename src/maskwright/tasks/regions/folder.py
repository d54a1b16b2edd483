"""Plan of the decisions for a folder: images of each case, and where their masks come from."""

import os
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from maskwright.data import DataSet, Sample, open_dataset
from maskwright.errors import ConfigError, DataError
from maskwright.export.artifact import is_artifact, model_folder, needs_tensorflow
from maskwright.export.engines import SHARED, Threads
from maskwright.export.runtime import load_keras
from maskwright.inference.folder_plan import FolderModel, FolderOptions, FolderPlan
from maskwright.inference.manifest import fingerprint
from maskwright.inference.output_paths import Failure, Job, WorkItem, plan_files
from maskwright.model_card import CARD_FILE, MODEL_FILE, SEGMENTER, RegionCard
from maskwright.tasks.regions.case_model import case_model
from maskwright.tasks.regions.pipeline import NO_SEGMENTER, Pipeline
from maskwright.tasks.regions.tables import CasesResult, write_tables
from maskwright.tasks.settings import refuse_options
from maskwright.types import Unit, ignore_message


def plan_folder(
    model: str | Path, images: str | Path, out: Path, options: FolderOptions
) -> FolderPlan[CasesResult]:
    """Plan of `cases.csv` and `regions.csv`, with the decisions on each case of a folder.

    Where the model predicts the masks, `out/NAME.png` is the mask of an image. `overlays/NAME.jpg`
    shows the regions with the probability beside each, `heat/NAME-NUMBER.png` where in a region it
    comes from.

    Raises:
        ModelError: If there is no such model.
        DataError: If there is no image.
        ConfigError: If the pattern of `options.group_by` is wrong, an image would be overwritten,
            or an option does not suit the model.
    """
    refuse_options(RegionCard.task, ("flips", "masks", "group_by", "heat"), options)
    if options.heat and is_artifact(Path(model)):
        raise ConfigError(
            f"Heat maps are drawn for runs alone; give the run that the exported model {model} "
            f"was made from, or leave them out."
        )
    folder = model_folder(model)
    card, inner = RegionCard.read(folder / CARD_FILE), folder / SEGMENTER / CARD_FILE
    segmenter = inner.read_text(encoding="utf-8") if inner.is_file() else None
    if options.engine == "ray":
        open_model = partial(_open, model, images, out, replace(options, on_message=ignore_message))
        source = _source(images, segmenter is not None, options)
        plan = _plan(card, segmenter, source, out, options, open_model)
        return replace(plan, on_gpu=needs_tensorflow(folder))
    pipeline = Pipeline.load(model, SHARED).adjusted(options.flips, **options.adjustments)
    source = _source(images, segmenter is not None, options)
    network = load_keras(folder / MODEL_FILE) if options.heat else None
    opened = case_model(pipeline, out, options, source, network)
    return _plan(card, segmenter, source, out, options, lambda _: opened)


def plan_pipeline(
    pipeline: Pipeline, images: str | Path | DataSet, out: Path, options: FolderOptions
) -> FolderPlan[CasesResult]:
    """As `plan_folder`, with a model that is open and adjusted, and without heat maps.

    Args:
        pipeline: Classifier, and segmenter if it has one.
        images: As in `plan_folder`; or a data set, whose masks are used.
        out: As in `plan_folder`.
        options: As in `plan_folder`.
    """
    segmenter = None if pipeline.segmenter is None else pipeline.segmenter.card.to_json()
    source = _source(images, segmenter is not None, options)
    opened = case_model(pipeline, out, options, source, None)
    return _plan(pipeline.classifier.card, segmenter, source, out, options, lambda _: opened)


def _open(
    model: str | Path, images: str | Path, out: Path, options: FolderOptions, threads: Threads
) -> FolderModel:
    pipeline = Pipeline.load(model, threads).adjusted(options.flips, **options.adjustments)
    source = _source(images, pipeline.segmenter is not None, options)
    network = load_keras(model_folder(model) / MODEL_FILE) if options.heat else None
    return case_model(pipeline, out, options, source, network)


def _source(
    images: str | Path | DataSet, has_segmenter: bool, options: FolderOptions
) -> str | Path | DataSet:
    """The images; a data set where its masks are used.

    Raises:
        ConfigError: If masks are to be predicted, and the model has no segmenter.
        DataError: If masks are to be used, and there are none.
    """
    if isinstance(images, DataSet):
        return images
    if not (not has_segmenter if options.masks is None else options.masks):
        if not has_segmenter:
            raise ConfigError(NO_SEGMENTER)
        return images
    try:
        return open_dataset(
            images, val_share=0, test_share=0, group_by=options.group_by, scaled_masks=True
        )
    except DataError as error:
        if has_segmenter:
            raise
        raise DataError(
            f"The model predicts no masks, so that images come with theirs; train it with "
            f"--segmenter for images alone. {error}"
        ) from None


def _plan(
    card: RegionCard,
    segmenter: str | None,
    source: str | Path | DataSet,
    out: Path,
    options: FolderOptions,
    open_model: Callable[[Threads], FolderModel],
) -> FolderPlan[CasesResult]:
    """As `plan_folder`, from the cards and a function that opens the model.

    Args:
        card: Of the classifier.
        segmenter: Card of the segmenter as text, or `None`.
        source: From `_source`.
        out: As in `plan_folder`.
        options: As in `plan_folder`.
        open_model: As in `FolderPlan`.
    """
    adjustments = sorted((k, v) for k, v in options.adjustments.items() if v is not None)
    settings: list[object] = [card.to_json(), segmenter, adjustments, options.flips, options.heat]
    skipped: tuple[Failure, ...] = ()
    if isinstance(source, DataSet):
        skipped = tuple(Failure(file.path, file.message) for file in source.skipped)
        out.mkdir(parents=True, exist_ok=True)
        jobs = [_sample_job(sample, out, options.overlays) for sample in source.samples]
        cases = [sample.case for sample in source.samples]
        states = [_state_of_masks(sample) for sample in source.samples]
        settings += [source.encoding, source.labels.background]
    else:
        jobs = plan_files(source, out, options.overlays)
        cases = _cases(jobs, out, options.group_by)
        states = [""] * len(jobs)
    items = _items(jobs, cases, states, card.unit, fingerprint(*settings))
    return FolderPlan(items, open_model, partial(write_tables, out, skipped))


def _sample_job(sample: Sample, out: Path, overlays: bool) -> Job:
    overlay = out / "overlays" / f"{sample.id}.jpg" if overlays else None
    return Job(sample.image, out / f"{sample.id}.png", overlay, mask_given=True)


def _state_of_masks(sample: Sample) -> str:
    """Text that changes with the files of the masks."""
    paths = [*sample.masks, *([] if sample.instances is None else [sample.instances])]
    states = [os.stat(path) for path in paths if path.exists()]  # noqa: PTH116
    return " ".join(f"{state.st_size}-{state.st_mtime_ns}" for state in states)


def _cases(jobs: Sequence[Job], out: Path, group_by: str | None) -> list[str]:
    """Case of each image: its folder, or what a pattern finds in its path."""
    if group_by is None:
        # Folders of one name in different places are different cases.
        names = [job.name(out).rpartition("/")[0] for job in jobs]
        return [name or job.image.parent.name for name, job in zip(names, jobs, strict=True)]
    try:
        pattern = re.compile(group_by)
    except re.error as error:
        raise ConfigError(f"The pattern {group_by!r} to group by is wrong: {error}.") from None
    if pattern.groups < 1:
        raise ConfigError(
            f"Expected a pattern with a group in brackets, such as '(.+)_[0-9]+'; received "
            f"{group_by!r}."
        )
    cases = []
    for job in jobs:
        match = pattern.search(job.image.as_posix())
        if match is None or not match[1]:
            raise ConfigError(f"The pattern {group_by!r} finds no case in {job.image}.")
        cases.append(match[1])
    return cases


def _items(
    jobs: Sequence[Job], cases: Sequence[str], states: Sequence[str], unit: Unit, settings: str
) -> list[WorkItem]:
    """What is decided together: the images of a case, else each image by itself."""
    if unit != "case":
        return [
            WorkItem((job,), fingerprint(settings, state) if state else settings)
            for job, state in zip(jobs, states, strict=True)
        ]
    members: dict[str, list[int]] = {}
    for place, case in enumerate(cases):
        members.setdefault(case, []).append(place)
    return [
        WorkItem(
            tuple(jobs[place] for place in places),
            # Another image in the case, or one less, is another decision.
            fingerprint(settings, case, [(str(jobs[p].image), states[p]) for p in places]),
            case,
        )
        for case, places in members.items()
    ]
