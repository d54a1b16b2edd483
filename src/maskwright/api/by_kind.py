"""`load`, `evaluate` and `predict` for whatever a model does: masks, objects, answers."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from maskwright.api import masks, objects, regions
from maskwright.api.provenance import require_out
from maskwright.errors import ConfigError
from maskwright.export.artifact import model_folder
from maskwright.model_card import CARD_FILE, card_kind
from maskwright.types import Engine

if TYPE_CHECKING:
    from maskwright.evaluation import Evaluation
    from maskwright.inference.folder import FolderResult
    from maskwright.inference.predictor import Predictor
    from maskwright.tasks.instances import InstancePredictor
    from maskwright.tasks.instances.folder import ObjectsResult
    from maskwright.tasks.instances.scorer import ObjectEvaluation
    from maskwright.tasks.regions.folder import CasesResult


def load(path: str | Path) -> "Predictor | InstancePredictor":
    """A trained model, to be called with images: the folder of a run or of an ensemble.

    One of masks gives a `Prediction`, one of single objects their `Instances`.

    Raises:
        ModelError: If there is none, or it does not belong to its card.
    """
    if _kind(path) == "objects":
        from maskwright.tasks.instances import InstancePredictor

        return InstancePredictor.load(path)
    return masks.load(path)


def evaluate(run: str | Path, data: str | Path, **options: Any) -> "Evaluation | ObjectEvaluation":
    """Score a model of masks or of single objects on a split, and write table, cases and report.

    Args:
        run: Folder of the run, or of an ensemble.
        data: What `open_dataset` takes.
        options: Of `masks.evaluate` or `objects.evaluate`: split, out, and for masks size and
            flips.
    """
    require_out(run, options.get("out"))
    if _kind(run) != "objects":
        return masks.evaluate(run, data, **options)
    unfit = {"size": "original", "flips": False}
    for name, usual in unfit.items():
        if options.pop(name, usual) != usual:
            raise ConfigError(
                f"Single objects are scored in the size of the images and without flips; leave out "
                f"`{name}`."
            )
    return objects.evaluate(run, data, **options)


def predict(
    model: str | Path,
    images: str | Path,
    out: str | Path,
    *,
    probabilities: bool = False,
    batch_size: int = 8,
    classes: str | Path | None = None,
    overwrite: bool = False,
    engine: Engine = "local",
    address: str | None = None,
    large: bool = False,
    polygons: bool = False,
    on_message: Callable[[str], None] = lambda _: None,
    **options: Any,
) -> "FolderResult | ObjectsResult | CasesResult":
    """Write a mask for every image, or its objects, or answers on what the masks hold.

    Args:
        model: Folder of a run.
        images: A file, a folder or a glob.
        out: Folder for the results.
        probabilities: Keep those of the pixels too.
        batch_size: Images segmented at once; others than masks are made one by one.
        classes: For a model of objects: folder of a run that draws masks, for panoptic masks.
        overwrite: Do again what an earlier run has done; others than masks are always made anew.
        engine: `"ray"` draws masks on a Ray cluster.
        address: Of a running Ray cluster.
        large: Work through all images by windows; only with masks, as the next.
        polygons: Write the masks as GeoJSON too.
        on_message: Called with messages on what is prepared for many images.
        options: Flips, overlays, and what the card of the model may be adjusted by: tile,
            threshold, min_area_px and, for masks, fill_holes_px and keep_largest.
    """
    kind = _kind(model)
    if classes is not None and kind != "objects":
        raise ConfigError(
            f"Expected a model of single objects where classes are merged with it, received one "
            f"of {kind}; give the model of objects first and leave this one for the classes."
        )
    if kind not in ("objects", "regions"):
        options |= {"probabilities": probabilities, "batch_size": batch_size}
        options |= {"overwrite": overwrite, "engine": engine, "address": address}
        options |= {"large": large, "polygons": polygons, "on_message": on_message}
        return masks.predict(model, images, out, **options)
    if large or polygons:
        raise ConfigError(
            f"Images are worked through by windows, and polygons written, with a model of masks "
            f"alone; this is one of {kind}."
        )
    if engine == "ray":
        raise ConfigError(
            f"A cluster draws masks alone; leave out the engine with a model of {kind}."
        )
    if probabilities:
        raise ConfigError(
            f"A model of {kind} keeps no probabilities of pixels; predict with a model of masks "
            f"for them."
        )
    if kind == "regions":
        return regions.predict_regions(model, images, out, **options)
    if options.pop("flips", False):
        raise ConfigError("Objects are found without flips; leave them out.")
    return objects.predict(model, images, out, classes=classes, **options)


def _kind(run: str | Path) -> str:
    """Kind of the model in a folder; that of masks where there is none, who says what is wrong."""
    card = model_folder(run) / CARD_FILE
    return card_kind(card) if card.is_file() else "segmentation"
