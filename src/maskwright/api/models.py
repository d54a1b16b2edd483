"""The verbs on trained models: `load`, `predict`, `evaluate` and `compare`."""

from dataclasses import replace
from pathlib import Path
from typing import Any, TypedDict, Unpack, cast

from pydantic import NonNegativeInt, PositiveInt

from maskwright.arguments import check_options, checked
from maskwright.errors import ConfigError
from maskwright.evaluation.reports.notebook import publish
from maskwright.evaluation.result import EvaluateOptions, Size, Weigh
from maskwright.export.engines import Threads
from maskwright.inference.adjustments import ADJUSTMENT_NAMES, Adjustments
from maskwright.inference.folder import predict_folder
from maskwright.inference.folder_plan import FolderOptions
from maskwright.inference.predictor import Flips
from maskwright.tasks.provenance import require_out
from maskwright.tasks.registry import require_task, stopped_note, task_of
from maskwright.types import Engine, OnMessage


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
    tolerance_px: float
    tolerance_mm: float | None
    allow_code: bool
    on_message: OnMessage


class EvaluateArguments(CompareArguments, total=False):
    """Options of `evaluate`, as `EvaluateOptions` describes them."""

    by: str | None
    weigh: Weigh
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
    return publish(task.report, task.evaluate(Path(run), data, given), folder, run)


@checked
def compare(
    a: str | Path,
    b: str | Path,
    data: str | Path,
    *,
    out: str | Path | None = None,
    **options: Unpack[CompareArguments],
) -> Any:
    """Score two trained models on the same images of a split, and test the difference.

    Only images are scored that are in the split by the plans of both; a warning says where that
    leaves some out, or where a model was trained on some.

    Args:
        out: Folder for the results; `comparison/NAME_OF_B/SPLIT` in `a` by default.
        options: As for `evaluate`, with 3 examples a side; a tolerance compares outlines of masks
            of classes, too.
    """
    check_options("compare", options, CompareArguments)
    first, second = Path(a), Path(b)
    outlines = "tolerance_px" in options or options.get("tolerance_mm") is not None
    given = replace(EvaluateOptions(**({"examples": 3} | options)), outlines=outlines)
    task = task_of(first)
    require_task(second, task.name)
    if task.compare is None:
        raise ConfigError(
            f"Expected two models of masks or of objects; models of {task.name} cannot be "
            f"compared on the same images yet: evaluate each, and compare the intervals of their "
            f"scores."
        )
    comparison = task.compare(first, second, data, given)
    folder = out or comparison_folder(first, second, given.split)
    return publish(task.report, comparison, folder)


def comparison_folder(a: Path, b: Path, split: str) -> Path:
    """Where a comparison is written by default."""
    return a / "comparison" / b.resolve().name / split
