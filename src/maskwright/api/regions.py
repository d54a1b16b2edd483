"""The verbs on what lies inside masks: train, evaluate, predict."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from maskwright.api.from_config import encoder_arguments, make_augmentation, tell_left_out
from maskwright.api.provenance import learned_ids, require_out
from maskwright.config import RegionConfig, read_config
from maskwright.data import DataSet, open_dataset
from maskwright.errors import ConfigError, DataError
from maskwright.export.artifact import is_artifact
from maskwright.model_card import MODEL_FILE, SEGMENTER

if TYPE_CHECKING:
    from maskwright.inference.predictor import Flips
    from maskwright.models.blueprint import Blueprint
    from maskwright.tasks.regions.folder import CasesResult
    from maskwright.tasks.regions.learning.bags import CropSpec
    from maskwright.tasks.regions.learning.build_bags import Predict
    from maskwright.tasks.regions.learning.targets import Labeling
    from maskwright.tasks.regions.pipeline import Pipeline
    from maskwright.tasks.regions.region_scores import DecisionEvaluation
    from maskwright.training import Run

_DEFAULT_MINUTES = 5.0


def train_regions(
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
    """Train a classifier of the regions in the masks of `data`; write a run into `out`.

    Args:
        data: What `open_dataset` takes, with labels.
        out: Folder of the run.
        plan: File of settings.
        minutes: Time to train for; five when neither it nor `epochs` is given.
        epochs: Passes over what is decided on.
        resume: Go on with the run in `out`, with its own settings but for those given here.
        on_message: Called with a sentence for every file that is left out, and on what is decided.
        settings: Fields of `RegionConfig`, before those of the plan.

    Raises:
        MaskwrightError: One sentence on what is wrong and what to do.
    """
    from maskwright.losses import loss
    from maskwright.losses.compose import parse
    from maskwright.tasks.regions.train import train
    from maskwright.training import Recipe
    from maskwright.training.run import Run

    given = {"minutes": minutes, "epochs": epochs}
    settings |= {name: value for name, value in given.items() if value is not None}
    if resume:
        plan = Run(Path(out)).settings_file
        if not plan.exists():
            raise ConfigError(f"There is no run to resume in {out}; leave out --resume.")
    config = read_config(plan, settings, RegionConfig)
    if config.segmenter is not None and is_artifact(Path(config.segmenter)):
        raise ConfigError(
            f"{config.segmenter} is an exported model; give the run that it was made from as the "
            f"segmenter, and export both together."
        )
    if config.minutes is None and config.epochs is None:
        config = config.model_copy(update={"minutes": _DEFAULT_MINUTES})
    if config.preset == "reference_cnn":
        config = config.model_copy(update={"measures": False})
    augmentation = make_augmentation(config)
    if unfit := sorted(set(parse(config.loss)) - {"ce", "focal"}):
        raise ConfigError(f"Decisions are learned by ce and focal; received {' and '.join(unfit)}.")
    criterion = loss(config.loss, smoothing=config.smoothing)
    dataset = open_regions(data, config)
    tell_left_out(dataset, on_message, config.skip_unreadable)
    labeling = find_labeling(dataset, config)
    for note in labeling.notes:
        on_message(note)
    view = make_view(dataset, labeling, config)
    predict = None if config.segmenter is None else finding(config.segmenter, view)
    if config.segmenter is not None and (leak := _seen_before(config, data, dataset)):
        on_message(leak)
    run = train(
        dataset,
        out,
        labeling=labeling,
        view=view,
        model=partial(describe_classifier, config),
        measures=config.measures,
        outside=config.outside,
        loss=criterion,
        recipe=Recipe(**config.recipe()),
        augmentation=augmentation,
        jitter=config.jitter,
        variants=config.variants,
        predict=predict,
        balance=config.balance,
        max_regions=config.max_regions,
        calibrate=config.calibrate,
        threshold=config.threshold,
        epochs=config.epochs,
        minutes=config.minutes,
        seed=config.seed,
        previews=config.previews,
        tensorboard=config.tensorboard,
        memory_limit_mb=config.memory_limit_mb,
        checkpoint_seconds=config.checkpoint_seconds,
        skip_unreadable=config.skip_unreadable,
        settings=config.model_dump(mode="json"),
        on_message=on_message,
        resume=resume,
    )
    if config.segmenter is not None:
        bundle_segmenter(Path(config.segmenter), run.folder)
    return run


def _seen_before(config: RegionConfig, data: str | Path, dataset: DataSet) -> str | None:
    """Sentence on images that a segmenter learned from and that are not for learning here."""
    segmenter = Path(config.segmenter or "")
    if not (segmenter / "plan.yaml").is_file():
        return None
    learned = learned_ids(segmenter, data)
    seen = [s.id for s in dataset.samples if s.split != "train" and s.id in learned]
    if not seen:
        return None
    return (
        f"The segmenter may have learned from {len(seen)} images that are for validation or tests "
        f"here, such as {seen[0]}: its masks will look better there than on new images. Divide "
        f"both alike: train it with --set unite_duplicates=true."
    )


def open_regions(data: str | Path, config: RegionConfig) -> DataSet:
    """Data set divided as the settings say."""
    return open_dataset(data, scaled_masks=True, **config.division())


def find_labeling(dataset: DataSet, config: RegionConfig) -> "Labeling":
    """What the settings say is to be decided, and what the data says where they do not."""
    from maskwright.tasks.regions.learning import targets as labeling

    return labeling.find_labeling(
        dataset,
        positive=config.positive,
        classes=config.classes,
        unit=config.unit,
        by=config.label_by,
        table=config.label_table,
    )


def make_view(dataset: DataSet, labeling: "Labeling", config: RegionConfig) -> "CropSpec":
    """How regions are cut out; `ConfigError` where their labels would not be found."""
    from maskwright.tasks.regions.learning.bags import CropSpec
    from maskwright.tasks.regions.learning.build_bags import full_scale, speck_px

    kind = config.regions or labeling.regions
    if labeling.regions is not None and kind != labeling.regions:
        raise ConfigError(
            f"Labels are told apart by {labeling.regions}; expected regions={labeling.regions}, "
            f"received {kind}."
        )
    kind = kind or ("instances" if dataset.instances else "components")
    view = CropSpec(kind, config.size, config.context, config.min_area_px)
    speck = 1 if config.segmenter is None else speck_px(dataset, view)
    return replace(view, min_guess_px=speck, full_scale=full_scale(dataset))


def describe_classifier(
    config: RegionConfig,
    *,
    channels: int,
    num_measures: int,
    pixel_range: tuple[float, float],
    penalty: float,
    seed: int,
    synchronized: bool,
) -> "Blueprint":
    """Network that the settings describe, as `regions.train` asks for it."""
    from maskwright.models.blueprint import Blueprint

    shape = {"channels": channels, "pixel_range": pixel_range, "outside": config.outside}
    if config.preset == "reference_cnn":
        return Blueprint("classifier", {"name": "reference", "size": config.size, **shape})
    return Blueprint(
        "classifier",
        {
            **shape,
            **encoder_arguments(config),
            "num_measures": num_measures,
            "pooling": config.pooling,
            "embedding": config.embedding,
            "dropout": config.dropout,
            "pixels": config.pixels,
        },
        {
            "weights": config.encoder_weights if config.pretrained else None,
            "penalty": penalty,
            "seed": seed,
            "synchronized": synchronized,
        },
    )


def load_regions(path: str | Path) -> "Pipeline":
    """A trained pipeline, to be called with the images of a case: of a run, or exported.

    Raises:
        ModelError: If there is none, or it does not belong to its card.
    """
    from maskwright.tasks.regions.pipeline import Pipeline

    return Pipeline.load(path)


def evaluate_regions(
    run: str | Path,
    data: str | Path,
    *,
    split: str = "test",
    out: str | Path | None = None,
    on_message: Callable[[str], None] = lambda _: None,
    **options: Any,
) -> "DecisionEvaluation":
    """Score decisions on a split, with true masks and, where there is a segmenter, with its own.

    Args:
        run: Folder of the run.
        data: What `open_dataset` takes, with labels.
        split: To score.
        out: Folder for the results; `evaluation/SPLIT` in the run when left out.
        on_message: Called with a sentence for every file that is left out.
        options: Of `evaluation.decide.evaluate_decisions`.
    """
    from maskwright.tasks.regions.region_evaluation import evaluate_decisions
    from maskwright.tasks.regions.report import write

    require_out(run, out)
    folder = Path(run)
    pipeline = load_regions(folder)
    plan = folder / "plan.yaml"
    # What was looked for then is looked for now, whatever this data would suggest.
    known = {"positive": pipeline.classifier.card.names[1]}
    config = read_config(plan if plan.exists() else None, known, RegionConfig)
    # Divided as for the run, so that nothing it learned from is scored.
    dataset = open_regions(data, config)
    tell_left_out(dataset, on_message)
    found = evaluate_decisions(
        pipeline,
        dataset,
        find_labeling(dataset, config),
        split,
        specificity=config.specificity,
        network=_network(config, folder),
        **options,
    )
    write(found, out or folder / "evaluation" / split, run=folder)
    return found


def predict_regions(
    model: str | Path,
    images: str | Path,
    out: str | Path,
    *,
    masks: bool | None = None,
    group_by: str | None = None,
    overlays: bool = True,
    heat: bool = False,
    flips: "Flips" = False,
    **adjustments: Any,
) -> "CasesResult":
    """Decide on every region, image or case, and write tables and pictures.

    Args:
        model: Folder of a run on regions, or one that was exported.
        images: Images, for masks that the model's segmenter draws; or a data set, for its own.
        out: Folder for the results.
        masks: Whether `images` is a data set; `None` takes it for one where there is no segmenter.
        group_by: Column or pattern that tells the case of an image.
        overlays: Draw the regions with their probabilities over the images.
        heat: Draw where inside each region the decision comes from.
        flips: The segmenter averages over the mirrored image too.
        adjustments: Of the segmenter, as `Predictor.adjusted` takes them.
    """
    from maskwright.export.runtime import load_keras
    from maskwright.tasks.regions.folder import predict_cases

    if heat and is_artifact(Path(model)):
        raise ConfigError(
            f"Heat maps are drawn for runs alone; give the run that the exported model {model} was "
            f"made from, or leave them out."
        )
    pipeline = load_regions(model).adjusted(flips, **adjustments)
    given = pipeline.segmenter is None if masks is None else masks
    source: str | Path | DataSet = images
    if given:
        try:
            source = open_dataset(
                images, val_share=0, test_share=0, group_by=group_by, scaled_masks=True
            )
        except DataError as error:
            if pipeline.segmenter is not None:
                raise
            raise DataError(
                f"The model in {model} draws no masks, so that images come with theirs; train it "
                f"with --segmenter for images alone. {error}"
            ) from None
    return predict_cases(
        pipeline,
        source,
        out,
        group_by=None if given else group_by,
        overlays=overlays,
        heat=partial(load_keras, Path(model) / MODEL_FILE) if heat else None,
    )


def _network(config: RegionConfig, run: Path) -> Callable[[], Any] | None:
    """Gives the Keras model of a run, where it has one that looks at pixels."""
    from maskwright.export.runtime import load_keras

    there = config.pixels and (run / MODEL_FILE).is_file()
    return partial(load_keras, run / MODEL_FILE) if there else None


def finding(segmenter: str | Path, view: "CropSpec") -> "Predict":
    """Function that finds regions with a segmenter, cut as true ones are."""
    from maskwright.tasks.instances.segmenter import load_segmenter
    from maskwright.tasks.regions.extraction.predicted_regions import found_regions

    predictor = load_segmenter(segmenter)

    def predict(image: Any, image_id: str) -> Any:
        background = predictor.card.background
        return found_regions(view.cut, image, predictor(image), image_id, view.regions, background)

    return predict


def bundle_segmenter(segmenter: Path, run: Path) -> None:
    """Copy a segmenter into a run, so that the run alone is enough to predict."""
    from maskwright.export.ensemble import model_files
    from maskwright.imageio import atomic_write

    (run / SEGMENTER).mkdir(exist_ok=True)
    for name in model_files(segmenter):  # the card last: with it the folder counts as whole
        with atomic_write(run / SEGMENTER / name) as beside:
            shutil.copyfile(segmenter / name, beside)
