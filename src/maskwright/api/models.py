"""The verbs on trained models: `load`, `predict`, `evaluate`, `compare` and `export_model`."""

from itertools import islice
from pathlib import Path
from typing import Any, TypedDict, Unpack, cast

import numpy as np
from pydantic import NonNegativeInt, PositiveInt

from maskwright.arguments import check_options, checked
from maskwright.data import open_dataset
from maskwright.errors import ConfigError
from maskwright.evaluation.reports.write import write_report
from maskwright.evaluation.result import EvaluateOptions, Size, Weigh
from maskwright.export.engines import Threads
from maskwright.export.export_run import Export, export_run, require_free
from maskwright.export.export_task import Example
from maskwright.export.formats.table import FORMATS
from maskwright.inference.adjustments import ADJUSTMENT_NAMES, Adjustments
from maskwright.inference.folder import predict_folder
from maskwright.inference.folder_plan import FolderOptions
from maskwright.inference.predictor import Flips
from maskwright.model_card import CARD_FILE, read_task
from maskwright.tasks.provenance import division_of, require_out
from maskwright.tasks.registry import TASKS, require_task, stopped_note, task_of
from maskwright.tasks.semantic.evaluation.comparison import Comparison
from maskwright.types import Engine, Format, OnMessage

_MOST_COMPARED = 32
_MOST_EVALUATED = 200  # by their Dice, for eight bits
_MOST_CALIBRATED = 64


class PredictArguments(Adjustments, total=False):
    """Options of `predict`: those of `FolderOptions`, and adjustments of the model card."""

    flips: Flips
    overlays: bool
    probabilities: bool
    batch_size: PositiveInt
    overwrite: bool
    engine: Engine
    address: str | None
    large: bool
    polygons: bool
    bounds: bool
    classes: str | Path | None
    masks: bool | None
    group_by: str | None
    heat: bool
    allow_code: bool
    on_message: OnMessage


@checked
def load(path: str | Path, *, allow_code: bool = False) -> Any:
    """A trained model, to be called with images: of a run, an ensemble or an exported model.

    A semantic model is a `Predictor`, one of single objects an `InstancePredictor`, one of regions
    a `Pipeline`.

    Args:
        allow_code: Open an exported model whose format can run code, such as a SavedModel.

    Raises:
        ModelError: If there is none, or it does not belong to its card.
    """
    return task_of(path).load(path, Threads(allow_code=allow_code))


@checked
def predict(
    model: str | Path, images: str | Path, out: str | Path, **options: Unpack[PredictArguments]
) -> Any:
    """Predict every image: its mask, its objects, or decisions on what its mask holds.

    Args:
        model: Folder of a run or an ensemble, or an exported model.
        images: A file, a folder or a glob.
        options: As `FolderOptions` describes them; and values in place of those on the card:
            tile, threshold, min_area_px, and for masks of classes fill_holes_px and keep_largest.
    """
    check_options("predict", options, PredictArguments)
    given: dict[str, Any] = dict(options)
    adjustments = {name: given.pop(name) for name in ADJUSTMENT_NAMES if name in given}
    folder_options = FolderOptions(**given, adjustments=cast(Adjustments, adjustments))
    if note := stopped_note(model):
        folder_options.on_message(note)
    return predict_folder(task_of(model).plan_folder, model, images, out, folder_options)


class CompareArguments(TypedDict, total=False):
    """Options of `compare`, as `EvaluateOptions` describes them."""

    split: str
    size: Size
    flips: Flips
    pixel_range: tuple[float, float] | None
    examples: NonNegativeInt
    allow_code: bool
    on_message: OnMessage


class EvaluateArguments(CompareArguments, total=False):
    """Options of `evaluate`, as `EvaluateOptions` describes them."""

    by: str | None
    weigh: Weigh
    tolerance_px: float
    tolerance_mm: float | None
    size_limits: tuple[float, float] | None
    calibration: bool


@checked
def evaluate(
    run: str | Path,
    data: str | Path,
    *,
    out: str | Path | None = None,
    **options: Unpack[EvaluateArguments],
) -> Any:
    """Score a trained model on a split, and write table, cases and report.

    Args:
        run: Folder of the run, or of an ensemble.
        out: Folder for the results; `evaluation/SPLIT` in the run by default.
    """
    check_options("evaluate", options, EvaluateArguments)
    require_out(run, out)
    given = EvaluateOptions(**options)
    folder = Path(out) if out else Path(run) / "evaluation" / given.split
    task = task_of(run)
    evaluation = task.evaluate(Path(run), data, given)
    write_report(task.report(evaluation), folder, run)
    return evaluation


@checked
def compare(
    a: str | Path,
    b: str | Path,
    data: str | Path,
    *,
    out: str | Path | None = None,
    **options: Unpack[CompareArguments],
) -> Comparison:
    """Score two trained models on the same images of a split, and test the difference.

    Only images are scored that are in the split by the plans of both; a warning says where that
    leaves some out, or where a model was trained on some.

    Args:
        out: Folder for the results; `comparison/NAME_OF_B/SPLIT` in `a` by default.
        options: As for `evaluate`, with 3 examples on each side by default.
    """
    check_options("compare", options, CompareArguments)
    first, second = Path(a), Path(b)
    given = EvaluateOptions(**({"examples": 3} | options))
    task = task_of(first)
    require_task(second, task.name)
    if task.compare is None:
        raise ConfigError(
            f"Expected two models of masks, of the task semantic; models of {task.name} cannot be "
            f"compared on the same images yet: evaluate each, and compare the intervals of their "
            f"scores."
        )
    comparison = task.compare(first, second, data, given)
    folder = out or comparison_folder(first, second, given.split)
    write_report(task.report(comparison), folder)
    return comparison


def comparison_folder(a: Path, b: Path, split: str) -> Path:
    """Where a comparison is written by default."""
    return a / "comparison" / b.resolve().name / split


@checked
def export_model(
    run: str | Path,
    out: str | Path,
    *,
    format: Format,
    data: str | Path | None = None,
    int8: bool = False,
) -> Export:
    """Write the model of a run for an engine, with all that using it needs.

    The copy is opened in its engine and compared with the run; what differs too much is not kept.

    Args:
        run: Folder of a finished run of masks, single objects or regions, or of an ensemble.
        out: Folder to make, or one file, whose name ends with `.maskwright`.
        data: What `open_dataset` takes, whose validation images are compared on besides drawn ones;
            not for models of regions.
        int8: Write weights and activations in eight bits, calibrated on training images of `data`,
            for `"onnx"`, `"openvino"` or `"litert"`; refused where the Dice of the validation
            images falls by more than 0.005 whatever is left in float.
    """
    if format not in FORMATS:
        raise ConfigError(f"Expected a format of {', '.join(FORMATS)}; received {format!r}.")
    folder = Path(run)
    task = TASKS[read_task(folder / CARD_FILE, TASKS)] if int8 or data is not None else None
    if int8 and task is not None and not task.export.int8:
        raise ConfigError(
            f"Eight bits need a model of masks of classes; this one is for the task {task.name}: "
            f"export it without --int8."
        )
    if int8 and (FORMATS[format].quantizer is None or data is None):
        able = ", ".join(name for name, other in FORMATS.items() if other.quantizer is not None)
        raise ConfigError(
            f"Eight bits need a format of {able}, and the data set that the model learned from; "
            f"received {format} and {'no' if data is None else 'a'} data set."
        )
    require_free(Path(out))
    samples: list[Example] = []
    calibration: list[np.ndarray] = []
    if task is not None and data is not None:
        if task.export.samples is None:
            raise ConfigError(
                f"A model of {task.name} is compared on drawn {task.name}; leave out the data set."
            )
        card = task.card.read(folder / CARD_FILE)
        dataset = open_dataset(data, **division_of(folder))
        most = _MOST_EVALUATED if int8 else _MOST_COMPARED
        samples += islice(task.export.samples(card, dataset, "val"), most)
        if int8:
            if not samples:
                raise ConfigError(
                    f"Eight bits are held against validation images with masks; {data} has none: "
                    f"name a data set that has."
                )
            learned = islice(task.export.samples(card, dataset, "train"), _MOST_CALIBRATED)
            calibration += [sample["image"] for sample in learned]
    tasks = {name: task.export for name, task in TASKS.items()}
    return export_run(folder, Path(out), format, tasks, samples, calibration, data)
