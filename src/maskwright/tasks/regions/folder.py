"""Plan of the decisions for a folder: images of each case, and where their masks come from."""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from maskwright.data import DataSet, Sample, open_dataset
from maskwright.data.cases.case_pattern import find_cases
from maskwright.data.layers import require_one_class
from maskwright.data.samples import counted
from maskwright.errors import ConfigError, DataError
from maskwright.export.artifact import is_artifact, model_folder, needs_tensorflow
from maskwright.export.engines import SHARED, Threads
from maskwright.export.runtime import load_keras
from maskwright.imageio import write_table
from maskwright.inference.folder_plan import FolderModel, FolderOptions, FolderPlan, FolderResult
from maskwright.inference.manifest import Record, fingerprint
from maskwright.inference.output_paths import Failure, Job, WorkItem, plan_files
from maskwright.model_card import CARD_FILE, MODEL_FILE, SEGMENTER, TRUST_FILE, RegionCard
from maskwright.tasks.regions.case_model import ANSWER, COLUMNS, REGION_COLUMNS, case_model
from maskwright.tasks.regions.extraction.table import write_rows
from maskwright.tasks.regions.pipeline import NO_SEGMENTER, Pipeline
from maskwright.tasks.regions.trust.record import Masks, read_answers
from maskwright.tasks.settings import refuse_options
from maskwright.types import Unit, ignore_message


@dataclass(frozen=True)
class CasesResult(FolderResult):
    """What was decided.

    `written` and `skipped` are masks of images that this and an earlier run have decided on, also
    where masks are given; `cases` are the rows of `cases.csv`, by column, one for each `unit`.
    """

    cases: tuple[dict[str, Any], ...] = ()
    unit: Unit = "region"

    def summary(self) -> str:
        """What was decided, in a sentence or two."""
        empty = sum(case["probability"] == "" for case in self.cases)
        text = f"Decided on {counted(len(self.cases) - empty, self.unit)}."
        if empty:
            place = "case" if self.unit == "case" else "image"
            text += f" No region was found in {counted(empty, place)}: nothing is decided there."
        if self.skipped:
            text += f" Skipped {counted(len(self.skipped), 'image')} done before."
        return text

    def output(self, folder: Path) -> Path:
        """Where to look first."""
        return folder / "cases.csv"


def plan_folder(
    model: str | Path, images: str | Path, out: Path, options: FolderOptions
) -> FolderPlan[CasesResult]:
    """Plan of `cases.csv` and `regions.csv`, with the decisions on each case of a folder.

    Where the model predicts the masks, `out/NAME.png` is the mask of an image. `overlays/NAME.jpg`
    shows the regions with the probability beside each, `heat/NAME-NUMBER.png` where in a region it
    comes from.

    `ConfigError` if the pattern of `options.group_by` is wrong, an image would be overwritten, or
    an option does not suit the model.
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
    record = folder / TRUST_FILE
    trust = record.read_text(encoding="utf-8") if record.is_file() else ""
    source = find_masks(images, segmenter is not None, options)
    if options.engine == "ray":
        worker = replace(options, on_message=ignore_message)
        open_model = partial(_open, model, images, out, worker)
        plan = plan_cases(card, segmenter, source, out, options, open_model, trust)
        return replace(plan, on_gpu=needs_tensorflow(folder))
    opened = _open(model, source, out, options, SHARED)
    return plan_cases(card, segmenter, source, out, options, lambda _: opened, trust)


def _open(
    model: str | Path,
    images: str | Path | DataSet,
    out: Path,
    options: FolderOptions,
    threads: Threads,
) -> FolderModel:
    threads = replace(threads, allow_code=options.allow_code)
    pipeline = Pipeline.load(model, threads).adjusted(options.flips, **options.adjustments)
    source = find_masks(images, pipeline.segmenter is not None, options)
    network = load_keras(model_folder(model) / MODEL_FILE) if options.heat else None
    masks: Masks = "given" if isinstance(source, DataSet) else "predicted"
    answers = read_answers(model_folder(model), pipeline, masks, options.on_message)
    return case_model(pipeline, out, options, source, network, answers)


def find_masks(
    images: str | Path | DataSet, has_segmenter: bool, options: FolderOptions
) -> str | Path | DataSet:
    """The images; a data set where its masks are used.

    `ConfigError` if masks must be predicted without a segmenter, `DataError` if there are none.
    """
    if isinstance(images, DataSet):
        return images
    if has_segmenter and not options.masks:
        return images
    if options.masks is False:
        raise ConfigError(NO_SEGMENTER)
    try:
        dataset = open_dataset(
            images, val_share=0, test_share=0, group_by=options.group_by, scaled_masks=True
        )
    except DataError as error:
        if has_segmenter:
            raise
        raise DataError(
            f"The model predicts no masks, so that images come with theirs; train it with "
            f"--segmenter for images alone. {error}"
        ) from None
    return require_one_class(dataset, "cutting it into regions")


def plan_cases(
    card: RegionCard,
    segmenter: str | None,
    source: str | Path | DataSet,
    out: Path,
    options: FolderOptions,
    open_model: Callable[[Threads], FolderModel],
    trust: str = "",
) -> FolderPlan[CasesResult]:
    """As `plan_folder`, from cards, with the segmenter's as text, and what `find_masks` gives.

    Other promises, in the text of `trust`, are other answers.
    """
    if options.group_by is not None and card.unit != "case":
        raise ConfigError(
            f"`group_by` has no effect: this model decides on each {card.unit} by itself, not on "
            f"cases; leave it out."
        )
    adjustments = sorted((k, v) for k, v in options.adjustments.items() if v is not None)
    settings: list[object] = [card.to_json(), segmenter, adjustments, options.flips, options.heat]
    settings += [trust] if trust else []
    skipped: tuple[Failure, ...] = ()
    if isinstance(source, DataSet):
        skipped = tuple(Failure(file.path, file.message) for file in source.skipped)
        out.mkdir(parents=True, exist_ok=True)
        overlays = out / "overlays" if options.overlays else None
        jobs = [
            Job(
                sample.image,
                out / f"{sample.id}.png",
                overlays and overlays / f"{sample.id}.jpg",
                mask_given=True,
            )
            for sample in source.samples
        ]
        cases = [sample.case for sample in source.samples]
        states = [_state_of_masks(sample) for sample in source.samples]
        settings += [source.encoding, source.labels.background]
    else:
        jobs = plan_files(source, out, options.overlays)
        cases = _cases(jobs, out, options.group_by)
        states = [""] * len(jobs)
    items = _items(jobs, cases, states, card.unit, fingerprint(*settings))
    return FolderPlan(items, open_model, partial(write_tables, out, card.unit, skipped))


def write_tables(
    out: Path,
    unit: Unit,
    skipped: tuple[Failure, ...],
    result: FolderResult,
    records: Sequence[Record],
) -> CasesResult:
    """Write the tables over all images from their records, which are in the order of the images.

    `skipped` are images that the data set could not read, `result` what became of the others.
    """
    cases = [row for record in records for row in record["cases"]]
    columns = (*COLUMNS, ANSWER) if any(ANSWER in case for case in cases) else COLUMNS
    rows = [[case.get(name, "") for name in columns] for case in cases]
    write_table(out / "cases.csv", columns, rows)
    regions = [row for record in records for row in record["regions"]]
    write_rows(regions, out / "regions.csv", REGION_COLUMNS)
    failed = (*skipped, *result.failed)
    return CasesResult(result.written, failed, result.skipped, tuple(cases), unit)


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
    return find_cases(group_by, [job.image.as_posix() for job in jobs])


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
