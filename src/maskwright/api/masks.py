"""The verbs on masks: check, train, evaluate, predict."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from maskwright.api import objects
from maskwright.api.from_config import describe_model, resolve_config
from maskwright.api.provenance import division_of, learned_ids
from maskwright.config import TrainConfig, read_config
from maskwright.data import open_dataset, write_yaml
from maskwright.data.pipeline.augment import Augmentation
from maskwright.errors import ConfigError
from maskwright.types import Engine

if TYPE_CHECKING:
    from maskwright.data.audit.audit import Report
    from maskwright.evaluation import Evaluation
    from maskwright.evaluation.evaluate import Size
    from maskwright.inference.folder import FolderResult
    from maskwright.inference.predictor import Flips, Predictor
    from maskwright.training import Run

_DEFAULT_MINUTES = 10.0


def check(
    data: str | Path,
    *,
    sheet: str | Path | None = None,
    write: bool = False,
    group_by: str | None = None,
    strength: str = "medium",
) -> "Report":
    """Audit a data set before training.

    Args:
        data: What `open_dataset` takes.
        sheet: PNG file for a sheet of augmented images and masks.
        write: Write what was inferred as `data.yaml` beside the data.
        group_by: Column, or pattern whose first group names the case.
        strength: Of the augmentation on the sheet.
    """
    from maskwright.data.audit.audit import audit
    from maskwright.data.audit.contact_sheet import contact_sheet

    dataset = open_dataset(data, group_by=group_by)
    report = replace(audit(dataset), source=str(data))  # some are drawn elsewhere
    if write:
        write_yaml(dataset, dataset.root / "data.yaml")
    if sheet is not None:
        contact_sheet(dataset, sheet, Augmentation.named(strength))
    return report


def train(
    data: str | Path,
    out: str | Path,
    *,
    plan: str | Path | None = None,
    minutes: float | None = None,
    epochs: int | None = None,
    resume: bool = False,
    on_message: Callable[[str], None] = lambda _: None,
    **settings: Any,
) -> "Run":
    """Train a model on the images and masks in `data`; write a run into `out`.

    Args:
        data: What `open_dataset` takes.
        out: Folder of the run.
        plan: File of settings.
        minutes: Time to train for; ten when neither it nor `epochs` is given.
        epochs: Passes over the samples.
        resume: Go on with the run in `out`, with its own settings but for those given here.
        on_message: Called with a sentence for every file that is left out.
        settings: Fields of `TrainConfig`, before those of the plan.

    Raises:
        MaskwrightError: One sentence on what is wrong and what to do.
    """
    from maskwright.training import train as train_on
    from maskwright.training.run import Run

    given = {"minutes": minutes, "epochs": epochs}
    settings |= {name: value for name, value in given.items() if value is not None}
    if resume:
        plan = Run(Path(out)).settings_file
        if not plan.exists():
            raise ConfigError(f"There is no run to resume in {out}; leave out --resume.")
    config = read_config(plan, settings, TrainConfig)
    if config.minutes is None and config.epochs is None:
        config = config.model_copy(update={"minutes": _DEFAULT_MINUTES})
    if config.objects is not None:
        return objects.train(config, data, out, resume=resume, on_message=on_message)
    config, dataset, shared = resolve_config(config, data, on_message)
    return train_on(
        dataset,
        out,
        **shared,
        model=partial(describe_model, config),
        epochs=config.epochs,
        minutes=config.minutes,
        previews=config.previews,
        tensorboard=config.tensorboard,
        checkpoint_seconds=config.checkpoint_seconds,
        card=config.model_dump(
            include={"threshold", "min_area_px", "fill_holes_px", "keep_largest"}
        ),
        settings=config.model_dump(mode="json"),
        on_message=on_message,
        resume=resume,
    )


def load(path: str | Path) -> "Predictor":
    """A trained model, to be called with images: the folder of a run or of an ensemble.

    Raises:
        ModelError: If there is none, or it does not belong to its card.
    """
    from maskwright.inference.predictor import Predictor

    return Predictor.load(path)


def evaluate(
    run: str | Path,
    data: str | Path,
    *,
    split: str = "test",
    out: str | Path | None = None,
    size: "Size" = "original",
    flips: "Flips" = False,
    **options: Any,
) -> "Evaluation":
    """Score a trained model on a split, and write table, cases and report.

    Args:
        run: Folder of the run, or of an ensemble.
        data: What `open_dataset` takes.
        split: To score.
        out: Folder for the results; `evaluation/SPLIT` in the run when left out.
        size: `"original"` scores masks in their own size, `"working"` in the model's.
        flips: Average over the mirrored image too.
        options: Of `evaluation.evaluate`.
    """
    from maskwright.evaluation import evaluate as score
    from maskwright.evaluation import write
    from maskwright.export.ensemble import is_ensemble

    folder = Path(run)
    predictor = load(folder)
    # Divided as for the run, so that nothing it learned from is scored.
    dataset = open_dataset(data, **division_of(folder))
    # Of a single run the name of the split tells; members of an ensemble have learned from more.
    learned = learned_ids(folder, data) if is_ensemble(folder) else ()
    found = score(predictor, dataset, split, size=size, flips=flips, learned=learned, **options)
    write(found, out or folder / "evaluation" / split, run=folder)
    return found


def predict(
    model: str | Path,
    images: str | Path,
    out: str | Path,
    *,
    flips: "Flips" = False,
    overlays: bool = True,
    probabilities: bool = False,
    batch_size: int = 8,
    overwrite: bool = False,
    engine: Engine = "local",
    address: str | None = None,
    large: bool = False,
    polygons: bool = False,
    on_message: Callable[[str], None] = lambda _: None,
    **adjustments: Any,
) -> "FolderResult":
    """Write a mask for every image, in its size; skip those that an earlier run has done.

    Args:
        model: Folder of a run.
        images: A file, a folder or a glob.
        out: Folder for the masks.
        flips: Average over the mirrored image too.
        overlays: Draw the masks over the images too.
        probabilities: Keep the probabilities too.
        batch_size: Images run at once.
        overwrite: Do again what is done.
        engine: `"local"` works in this process, `"ray"` on a Ray cluster, of which all nodes must
            see model, images and `out` under the same paths.
        address: Of a running Ray cluster; one is started on this machine when left out.
        large: Work through all images by windows, whatever their size; see `predict_large`.
        polygons: Write the masks as GeoJSON too; works through all images by windows.
        on_message: Called with messages: what is prepared for many images of a run, and
            a sentence where a large image needs one.
        adjustments: For the card: threshold, tile and cleaning, as
            `inference.predictor.adjusted_card` takes them.
    """
    options: dict[str, Any] = {
        "flips": flips,
        "overlays": overlays,
        "probabilities": probabilities,
        "batch_size": batch_size,
        "overwrite": overwrite,
        "large": large,
        "polygons": polygons,
    }
    if engine == "ray":
        from maskwright.inference.cluster import predict_on_cluster

        return predict_on_cluster(model, images, out, address=address, **options, **adjustments)
    from maskwright.api.load_model import open_predictor
    from maskwright.inference.folder import predict_folder

    predictor = open_predictor(model, images, on_message)
    return predict_folder(
        predictor.adjusted(**adjustments), images, out, on_message=on_message, **options
    )
