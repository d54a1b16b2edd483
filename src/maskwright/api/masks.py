"""The verbs on masks: check, train, evaluate, predict."""

from collections.abc import Callable
from functools import partial
from inspect import signature
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from maskwright.api.learned import division_of, learned_ids
from maskwright.config import RunConfig, TrainConfig, read_config
from maskwright.data import DataSet, open_dataset, write_yaml
from maskwright.data.augment import Augmentation
from maskwright.errors import ConfigError, DataError
from maskwright.imageio import read_header

if TYPE_CHECKING:
    import keras

    from maskwright.data.checks import Report
    from maskwright.evaluation import Evaluation
    from maskwright.evaluation.evaluate import Size
    from maskwright.inference.folder import FolderResult
    from maskwright.inference.predictor import Flips, Predictor
    from maskwright.training import Run

_AUTO_LONGEST_PX = 256
_STRIDE = 32
_DEFAULT_MINUTES = 10.0
_LEFT_OUT_TOLD = 20


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
    from maskwright.data.checks import audit
    from maskwright.data.sheet import contact_sheet

    dataset = open_dataset(data, group_by=group_by)
    report = audit(dataset)
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
    tell: Callable[[str], None] = lambda _: None,
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
        tell: Called with a sentence for every file that is left out.
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
    config, dataset, shared = settle(config, data, tell)
    return train_on(
        dataset,
        out,
        **shared,
        model=partial(build_model, config),
        epochs=config.epochs,
        minutes=config.minutes,
        previews=config.previews,
        tensorboard=config.tensorboard,
        checkpoint_seconds=config.checkpoint_seconds,
        card=config.model_dump(
            include={"threshold", "min_area_px", "fill_holes_px", "keep_largest"}
        ),
        settings=config.model_dump(mode="json"),
        tell=tell,
        resume=resume,
    )


def settle(
    config: TrainConfig, data: str | Path, tell: Callable[[str], None]
) -> tuple[TrainConfig, DataSet, dict[str, Any]]:
    """Open a data set as the settings say, and unpack them.

    Returns:
        The settings with the size that `"auto"` stands for, the data set, and the arguments that
        `training.prepare` and `training.train` share.
    """
    from maskwright.losses import loss
    from maskwright.training import Recipe

    # What a setting gets wrong is told of before any data is read.
    augmentation = make_augmentation(config)
    criterion = loss(config.loss, smoothing=config.smoothing)
    dataset = open_dataset(data, **config.division())
    tell_left_out(dataset, tell, config.skip_unreadable)
    if config.size == "auto":
        size = None if config.crop else auto_size(dataset)
        config = config.model_copy(update={"size": size})
    shared = {
        "loss": criterion,
        "recipe": Recipe(**config.recipe()),
        "augmentation": augmentation,
        "size": config.size,
        "crop": config.crop,
        "balance": config.class_weights,
        "favour_rare": config.favour_rare,
        "auxiliary_weight": supervision(config),
        "seed": config.seed,
        "memory_limit_mb": config.memory_limit_mb,
        "skip_unreadable": config.skip_unreadable,
    }
    return config, dataset, shared


def tell_left_out(dataset: DataSet, tell: Callable[[str], None], may_skip: bool = True) -> None:
    """Tell of the first files that are left out, and how many more there are.

    Raises:
        DataError: If none may be skipped, on the first.
    """
    if dataset.left_out and not may_skip:
        path, reason = dataset.left_out[0]
        about = reason.removesuffix(".") if str(path) in reason else f"{path}: {reason}"
        raise DataError(
            f"{about}; expected an image with its mask, both readable: mend or remove it, or let "
            f"such files be left out with skip_unreadable=true."
        )
    for path, reason in dataset.left_out[:_LEFT_OUT_TOLD]:
        tell(f"left out: {reason}" if str(path) in reason else f"left out: {path}: {reason}")
    if (more := len(dataset.left_out) - _LEFT_OUT_TOLD) > 0:
        tell(f"{more} more files are left out; `maskwright check` tells which.")


def auto_size(dataset: DataSet) -> tuple[int, int]:
    """Median height and width of the images, the longer at most 256 px, in multiples of 32."""
    sides = []
    for sample in dataset.samples[:: max(len(dataset.samples) // 200, 1)]:
        try:
            header = read_header(sample.image)
        except DataError:
            continue
        sides.append((header.height, header.width))
    if not sides:
        raise DataError(f"No image in {dataset.root} can be read; run `maskwright check` on it.")
    height, width = np.median(np.array(sides), axis=0)
    factor = min(_AUTO_LONGEST_PX / max(height, width), 1.0)
    return _multiple(height * factor), _multiple(width * factor)


def _multiple(length: float) -> int:
    return max(round(length / _STRIDE), 1) * _STRIDE


def make_augmentation(config: RunConfig) -> Augmentation:
    """Augmentation that the settings describe; `ConfigError` for one that does not exist."""
    changes = dict(config.augmentation)
    return Augmentation.named(changes.pop("strength"), **changes)


def supervision(config: TrainConfig) -> float:
    """Weight of each auxiliary loss: as set, or the paper's."""
    from maskwright.models import SUPERVISION

    if config.deep_supervision is not None:
        return config.deep_supervision
    return SUPERVISION.get(config.preset or config.decoder, 0.0)


def build_model(
    config: TrainConfig,
    *,
    num_classes: int,
    channels: int,
    pixel_range: tuple[float, float],
    seed: int,
    synchronised: bool,
) -> "keras.Model":
    """Network that the settings describe, as `training.train` asks for it."""
    from maskwright import models

    if config.one_logit:
        if num_classes != 2:
            raise ConfigError(f"one_logit tells two classes apart; the data has {num_classes}.")
        num_classes = 1
    if config.preset is not None:
        build = {**models.PRESETS, **models.PAPERS}[config.preset]
        wanted: dict[str, Any] = {
            "weights": config.encoder_weights if config.pretrained else None,
            "taps": config.taps,
            "deep_supervision": supervision(config) > 0 or None,
        }
        options = _taken(build, config.preset, wanted)
        return build(num_classes, channels=channels, pixel_range=pixel_range, **options)
    decode = models.DECODERS.get(config.decoder)  # `build` tells of a name that does not exist
    wanted = {"transposed": config.transposed, "separable": config.separable}
    return models.build(
        num_classes,
        encoder_name=config.encoder,
        decoder_name=config.decoder,
        channels=channels,
        weights=config.encoder_weights if config.pretrained else None,
        encoder_widths=config.encoder_widths,
        alpha=config.alpha,
        taps=config.taps,
        widths=config.decoder_widths,
        decoder_options=_taken(decode, config.decoder, wanted) if decode else None,
        pixel_range=pixel_range,
        norm=config.norm,
        output_stride=config.output_stride,
        dropout=config.dropout,
        deep_supervision=supervision(config) > 0,
        seed=seed,
        synchronised=synchronised,
    )


def _taken(build: Callable[..., Any], name: str, wanted: dict[str, Any]) -> dict[str, Any]:
    """Options that were set, of a function that has them; `ConfigError` where it has not."""
    chosen = {option: value for option, value in wanted.items() if value is not None}
    for option in chosen.keys() - signature(build).parameters.keys():
        raise ConfigError(f"{name} has no setting `{option}`; leave it out or take another.")
    return chosen


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
    **adjustments: Any,
) -> "FolderResult":
    """Write a mask for every image, in its size.

    Args:
        model: Folder of a run.
        images: A file, a folder or a glob.
        out: Folder for the masks.
        flips: Average over the mirrored image too.
        overlays: Draw the masks over the images too.
        probabilities: Keep the probabilities too.
        batch_size: Images run at once.
        adjustments: What `Predictor.adjusted` takes: threshold, tile and cleaning.
    """
    from maskwright.inference.folder import predict_folder

    predictor = load(model).adjusted(**adjustments)
    return predict_folder(
        predictor,
        images,
        out,
        flips=flips,
        overlays=overlays,
        probabilities=probabilities,
        batch_size=batch_size,
    )
