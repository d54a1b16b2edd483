"""Which of some images without masks to label next."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from maskwright.data.cases.case_pattern import find_cases
from maskwright.data.cases.duplicates import content_hash
from maskwright.data.parallel import in_threads
from maskwright.data.samples import counted
from maskwright.errors import DataError
from maskwright.export.artifact import model_folder
from maskwright.export.engines import Threads
from maskwright.imageio import find_images, read_header, read_image
from maskwright.inference.adjustments import adjusted_card
from maskwright.inference.output_paths import Failure, describe
from maskwright.inference.pixels import check_pages, spread_bits
from maskwright.model_card import SemanticCard
from maskwright.reliability.assessment import UNLIKE, assess
from maskwright.reliability.familiarity import FLAGGED
from maskwright.reliability.labeling_queue import (
    LabelingQueue,
    QueuedImage,
    QueueOptions,
    labeling_order,
)
from maskwright.reliability.mask_quality import mask_features
from maskwright.reliability.observations import ObservedPrediction, class_mask
from maskwright.reliability.options import chosen_classes
from maskwright.reliability.record import TRUST_FILE, TrustRecord
from maskwright.tasks.provenance import learned_images
from maskwright.tasks.semantic.calibration.observe import ObservingPredictor, load_observed


def queue_images(
    model: Path,
    images: str | Path,
    options: QueueOptions,
    card_type: type[SemanticCard] = SemanticCard,
) -> LabelingQueue:
    """Put the images of a folder in the order in which to label them; see `labeling_order`.

    The expected Dice is that of the promises of the model, if it has any, else soft Dice as it is.
    Images that the model has seen are left out.

    Raises:
        DataError: If there is no image to label.
        ModelError: If there is no such model, or its promises are those of another one.
        ConfigError: If `group_by` does not find the case of every image.
    """
    network, card = load_observed(model, Threads(allow_code=options.allow_code), card_type)
    folder = model_folder(model)
    record = TrustRecord.valid(folder, card) if (folder / TRUST_FILE).is_file() else None
    flips = False if record is None else record.calibrated_with["flips"]
    predictor = ObservingPredictor(
        network, adjusted_card(card, {"pixel_range": options.pixel_range})
    )
    paths = find_images(images)
    names = [path.as_posix() for path in paths]
    cases = names if options.group_by is None else find_cases(options.group_by, names)
    learned = learned_images(model)
    queued: list[QueuedImage] = []
    features: list[np.ndarray] = []
    failed: list[Failure] = []
    reading = in_threads(partial(_read, card=card), paths, "Assessing images", ahead=1)
    num_seen = 0
    for path, case, entry in zip(paths, cases, reading, strict=True):
        try:
            if isinstance(entry, DataError):
                raise entry
            image, content = entry
            if content in learned.train | learned.val:
                num_seen += 1
                continue
            prediction = predictor(image, flips=flips)
        except DataError as error:
            failed.append(Failure(path, describe(path, str(error))))
            continue
        queued.append(_assessed(path, case, prediction, record, card))
        means = prediction.channel_means
        features.append(np.zeros(1) if means is None else means)
    if not queued:
        raise DataError(
            f"None of {counted(len(paths), 'image')} of {images} is left to label: "
            f"{num_seen} were learned from, {len(failed)} cannot be read."
        )
    order = labeling_order(
        np.array([each.expected_dice for each in queued]),
        np.array([1.0 if each.unfamiliar_p is None else each.unfamiliar_p for each in queued]),
        np.stack(features),
        [each.case for each in queued],
    )
    has_features = features[0].size > 1
    return LabelingQueue(
        tuple(queued[place] for place in order[: options.count].tolist()),
        tuple(failed),
        tuple(_notes(model, record, has_features, num_seen)),
    )


def _read(path: Path, card: SemanticCard) -> tuple[np.ndarray, str] | DataError:
    """An image as the model takes it, and the hash of its content; the error where it fails."""
    try:
        header = read_header(path)
        check_pages(path, header, card)
        image = read_image(path)
        return spread_bits(image, header.white, card), content_hash(image, path.stem)
    except DataError as error:
        return error


def _assessed(
    path: Path, case: str, prediction: ObservedPrediction, record: TrustRecord | None, card: Any
) -> QueuedImage:
    """What is known of an image: its worst class, and whether it is unfamiliar."""
    p_value, expected = None, _soft_dice(prediction, card)
    if record is not None:
        masks = assess(record, prediction, card.labels.names)
        p_value = masks[0].unfamiliar_p
        expected = {
            m.class_name: expected[m.class_name] if m.expected_dice is None else m.expected_dice
            for m in masks
        }
    worst = min(expected, key=lambda name: expected[name])
    reasons = [f"a Dice of about {expected[worst]:.2f} for {worst}"]
    if p_value is not None and p_value <= FLAGGED:
        reasons.append(UNLIKE)
    return QueuedImage(
        image=path,
        case=case,
        class_name=worst,
        expected_dice=expected[worst],
        unfamiliar_p=p_value,
        reason="; ".join(reasons),
    )


def _soft_dice(prediction: ObservedPrediction, card: Any) -> dict[str, float]:
    """Soft Dice of the mask of each class; without a mask, one minus the largest probability.

    An empty mask has a Dice of 1 where there is nothing of the class, and else of 0.
    """
    expected = {}
    pair = (prediction, prediction.mirrored)
    for name, label in chosen_classes(card.labels, card.background, None).items():
        values = [np.asarray(each.probabilities)[..., label] for each in pair]
        masks = [class_mask(each.labels, label) for each in pair]
        if masks[0].any():
            expected[name] = float(mask_features(*values, *masks)[0])
        else:
            expected[name] = 1 - float(values[0].max())
    return expected


def _notes(
    model: Path, record: TrustRecord | None, has_features: bool, num_seen: int
) -> Iterator[str]:
    """What the order is made of, in words."""
    unlike = "Images unlike the training images are not told"
    if record is None:
        yield (
            f"{model} has no {TRUST_FILE}: the expected Dice is soft Dice as it is, which may be "
            f"too high. {unlike}. `maskwright trust {model} DATA` adds both."
        )
    elif record.familiarity is None:
        yield f"{unlike}: {TRUST_FILE} has no record of them."
    if not has_features:
        yield (
            "The model does not give the features of an encoder: images that resemble each "
            "other are not spared."
        )
    if num_seen:
        yield f"Left out: {counted(num_seen, 'image')} that the model has seen in training."
