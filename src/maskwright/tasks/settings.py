"""Settings become what they stand for, in the same way for every task: data set, augmentation."""

from collections.abc import Collection, Sequence, Sized
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from maskwright.config import RunConfig
from maskwright.data import DataSet, open_dataset
from maskwright.data.audit.audit import audit, group_related
from maskwright.data.audit.audit_scan import UNUSABLE
from maskwright.data.pipeline.augmentation import Augmentation
from maskwright.data.samples import Note, counted, examples, grouped
from maskwright.errors import ConfigError, DataError
from maskwright.evaluation import EvaluateOptions
from maskwright.inference.folder_plan import FolderOptions
from maskwright.planning.hardware import free_memory_mb
from maskwright.reliability.options import TrustOptions
from maskwright.types import Alert, OnMessage, ignore_message

if TYPE_CHECKING:
    from maskwright.training import Batching, TrainOptions

_MAX_SKIPPED_SHOWN = 5
_BYTES_PER_PIXEL = 16  # in a batch: three channels and a label, as 32-bit numbers
_MIN_SIDE = 32  # of images that keep their own size
_MIN_STEPS = 20  # of an epoch of a run measured in minutes, so that ten images do for an epoch

_OF_MASKS = {
    *("size", "flips", "by", "weigh", "outlines", "tolerance_px", "tolerance_mm", "size_limits"),
    "calibration",
}
"""Options of `evaluate` that only masks of classes have."""

_PURPOSES = {
    "flips": "average over flipped images",
    "probabilities": "write probabilities of pixels",
    "large": "predict images by windows",
    "polygons": "write polygons",
    "classes": "merge its predictions with the classes of another model",
    "masks": "decide on given masks",
    "group_by": "decide on cases",
    "heat": "draw heat maps",
    "bounds": "make promises about its masks",
}
"""Options of `predict` that not all tasks support, and what they make a model do."""


class _Decoded(Sized, Protocol):
    @property
    def skipped(self) -> Sequence[str]: ...

    def fingerprint(self) -> str: ...


def train_options(
    config: RunConfig,
    resume: bool = False,
    force: bool = False,
    callbacks: Sequence[Any] = (),
    model: Any = None,
    loss: Any = None,
    on_message: OnMessage = ignore_message,
) -> "TrainOptions":
    """How a run with these settings is carried out; see `TrainOptions`."""
    from maskwright.training import TrainOptions

    names = ("seed", "epochs", "minutes", "previews", "track", "checkpoint_seconds")
    values = {name: getattr(config, name) for name in names}
    values |= {"resume": resume, "force": force, "callbacks": tuple(callbacks)}
    return TrainOptions(**values, model=model, loss=loss, on_message=on_message)


def data_facts(
    options: "TrainOptions", dataset: DataSet, train: _Decoded, validation: _Decoded | None
) -> dict[str, Any]:
    """Facts on the data, what was inferred and left out among them, for `TrainingSetup.data`."""
    decoded = (train,) if validation is None else (train, validation)
    skipped = [
        *(f.message for f in dataset.skipped),
        *(s for each in decoded for s in each.skipped),
    ]
    return {
        "seed": options.seed,
        "data": train.fingerprint(),
        "val_data": None if validation is None else validation.fingerprint(),
        "train": len(train),
        "val": 0 if validation is None else len(validation),
        "skipped": skipped,
        "notes": [note.text for note in dataset.notes],
    }


def make_batching(
    config: RunConfig,
    options: "TrainOptions",
    num_samples: int,
    crop: tuple[int, int] | None = None,
) -> "Batching":
    """How the training samples become batches; timed runs go over few samples several times.

    Raises `ConfigError` if the images of one batch do not fit into memory.
    """
    from maskwright.data.pipeline.epochs import steps_per_epoch
    from maskwright.training import Batching

    if getattr(config, "pixels", True):
        _check_memory(config.batch_size, crop or getattr(config, "size", None))
    steps = steps_per_epoch(num_samples, config.batch_size)
    return Batching(
        batch_size=config.batch_size,
        augmentation=make_augmentation(config),
        seed=options.seed,
        crop=crop,
        passes=1 if options.minutes is None else -(-_MIN_STEPS // steps),
    )


def _check_memory(batch_size: int, size: Any) -> None:
    """Raise `ConfigError` if the images of one batch do not fit into memory."""
    height, width = {int: (size, size), tuple: size}.get(type(size), (_MIN_SIDE, _MIN_SIDE))
    needed, free = batch_size * height * width * _BYTES_PER_PIXEL / 1e9, free_memory_mb() / 1e3
    if needed > free:
        raise ConfigError(
            f"`batch_size`: {batch_size:,} images of {height}x{width} px take {needed:,.0f} GB "
            f"and {free:,.0f} GB of memory are free; choose a smaller one."
        )


def open_data(config: RunConfig, data: str | Path, options: "TrainOptions") -> DataSet:
    """Data set with the splits of the settings; skipped files are reported, errors stop.

    Errors are those of `check` but for files that cannot be used, which are skipped.
    """
    dataset = open_dataset(data, **config.division())
    report_skipped(dataset, options.on_message, config.skip_unreadable)
    report = audit(dataset)
    errors = [f for f in report.findings if f.severity == "error" and f.code not in UNUSABLE]
    lines = {"calibration_cases"}  # of which the advice is a line of data.yaml
    stop_at_errors(
        [f"{e.message} {e.advice}" if e.code in lines else e.message for e in errors], options
    )
    for finding in report.findings:
        if finding.code == "video_across_splits":
            options.on_message(Alert(f"{finding.message} {finding.advice}"))
    notes = (*dataset.notes, *(Note(e.code, e.message) for e in errors))
    return replace(group_related(dataset, report), notes=notes)


def stop_at_errors(errors: Sequence[str], options: "TrainOptions") -> None:
    """Raise `DataError` for data that training would be wrong on; warn if forced, or resumed."""
    if errors and not (options.force or options.resume):
        raise DataError(
            f"{' '.join(errors)} Correct the data, as `maskwright check` advises, or train all the "
            f"same with --force (in Python, force=True)."
        )
    for error in errors:
        options.on_message(Alert(error))


def report_skipped(dataset: DataSet, on_message: OnMessage, may_skip: bool = True) -> None:
    """Report skipped files, in one line for all of a reason; `DataError` if none may be skipped."""
    if dataset.skipped and not may_skip:
        raise DataError(
            f"{dataset.skipped[0].message.removesuffix('.')}; expected an image with its mask, "
            f"both readable: mend or remove it, or skip such files with skip_unreadable=true."
        )
    by_reason = grouped(dataset.skipped, lambda file: "" if file.broken else file.reason)
    for reason, files in by_reason.items():
        if reason and len(files) > 1:
            names = examples(file.path.name for file in files)
            on_message(Alert(f"skipped: {counted(len(files), 'file')} ({reason}): {names}"))
            continue
        for file in files[:_MAX_SKIPPED_SHOWN]:
            on_message(Alert(f"skipped: {file.message}"))
        if more := len(files[_MAX_SKIPPED_SHOWN:]):
            text = f"skipped: {counted(more, 'more file')}; `maskwright check` tells which."
            on_message(Alert(text))


def make_augmentation(config: RunConfig) -> Augmentation:
    """Augmentation that the settings describe; `ConfigError` for one that does not exist."""
    changes = dict(config.augmentation)
    return Augmentation.named(changes.pop("strength"), **changes)


def refuse_evaluate_options(task: str, options: EvaluateOptions) -> None:
    """Raise `ConfigError` for options of `evaluate` that only semantic models have."""
    for field in fields(EvaluateOptions):
        if field.name in _OF_MASKS and getattr(options, field.name) != field.default:
            # `compare` scores outlines where a tolerance is given.
            name = "tolerance_px" if field.name == "outlines" else field.name
            raise ConfigError(
                f"`{name}` is for scores of masks of classes; models of {task} have others, "
                f"in the size of the images and without flips: leave it out."
            )


def refuse_trust_options(task: str, unused: Collection[str], options: TrustOptions) -> None:
    """Raise `ConfigError` for options of `trust` that promises of the task do not have."""
    for field in fields(TrustOptions):
        value = getattr(options, field.name)
        if field.name in unused and value not in (field.default, None):
            raise ConfigError(
                f"`{field.name}` has no meaning for promises of models of the task {task}: leave "
                f"it out."
            )


def refuse_options(task: str, supported: Collection[str], options: FolderOptions) -> None:
    """Raise `ConfigError` for options of `predict` that the task does not support."""
    for name, purpose in _PURPOSES.items():
        if name not in supported and getattr(options, name) not in (None, False):
            raise ConfigError(
                f"A model of the task {task} does not {purpose}; leave out `{name}`, or predict "
                f"with a model of another task."
            )
