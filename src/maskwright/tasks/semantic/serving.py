"""A model of classes of pixels, as the server uses it."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from maskwright.export.engines import Threads
from maskwright.export.export_task import ExportTask
from maskwright.inference import LargeOptions, Prediction, Predictor, predict_large
from maskwright.model_card import postprocessing_of
from maskwright.tasks.semantic.export import EXPORT, open_masks
from maskwright.tasks.semantic.promised import open_promises
from maskwright.tasks.serving import (
    LABELS,
    Engine,
    EngineSharing,
    LargeImageJob,
    MaskLayer,
    MaskSettings,
    ServedModel,
    ServedSegmenter,
    TensorSpec,
)


def open_served(name: str, path: Path, sharing: EngineSharing) -> ServedModel:
    """Open a model, as `Task.serve`."""
    return with_promises(as_served(name, open_predictor(path, sharing)), path, sharing)


def with_promises(served: ServedModel, path: Path, sharing: EngineSharing) -> ServedModel:
    """The same with what is known of its masks, where promises were made of the model in `path`."""
    promised = open_promises(path, served.masks.predictor.card, sharing)
    sentences = () if promised is None else tuple(p.sentence for p in promised.promises.promises)
    segmenter = replace(served.masks, assess=promised)
    return replace(served, segmenter=segmenter, promises=sentences)


def open_predictor(path: Path, sharing: EngineSharing, task: ExportTask = EXPORT) -> Predictor:
    """Predictor of a model of a task: a run in its prepared engine, batches of several callers."""

    def load(threads: Threads) -> Predictor:
        return open_masks(path, threads, lambda: sharing.prepare, sharing.on_message, task)

    def load_single() -> Engine:
        return load(replace(sharing.threads, number=1)).logits

    predictor = load(sharing.threads)
    logits = sharing.batch(predictor.logits, load_single, path)
    return Predictor(logits, predictor.card)


def as_served(name: str, predictor: Predictor) -> ServedModel:
    """A predictor as a model of the server."""
    card = predictor.card
    two = card.labels.num_classes == 2 and card.background is not None
    threshold_of = "foreground" if two else "winner"
    settings = MaskSettings(card.threshold, threshold_of, **postprocessing_of(card))
    shape = (-1, -1, -1, card.labels.num_classes)
    tensors = (LABELS, TensorSpec("probabilities", "FP32", shape, "probabilities"))
    layers = (MaskLayer("", card.labels, card.background, settings),)
    segmenter = ServedSegmenter(predictor, layers, tensors, predict, predict_job)
    return ServedModel(name, card.task, segmenter)


def predict(predictor: Predictor, images: np.ndarray, probabilities: bool) -> list[Prediction]:
    """Predict images; the network runs once for several that it takes whole."""
    size = (images.shape[1], images.shape[2])
    whole = [image for image in map(predictor.whole, images) if image is not None]
    if len(whole) < len(images):
        return [predictor(image, probabilities=probabilities) for image in images]
    return [
        predictor.decide(predictor.spread(values, size), size, probabilities)
        for values in predictor.probabilities(np.stack(whole))
    ]


def predict_job(predictor: Predictor, job: LargeImageJob) -> None:
    """Probabilities and mask; by windows where the image is large or has pixels of no data."""
    windows = job.windows
    size = (windows.height, windows.width)
    if windows.nodata is not None or job.reduced:
        options = LargeOptions(
            max_pixels=job.max_pixels, advance=job.advance, on_probabilities=job.add_probabilities
        )
        layers = job.mask_files if predictor.card.overlapping else ()
        predict_large(predictor, job.path, job.mask_files[0], layers=layers, options=options)
        return

    def watched(strips: Iterator[np.ndarray]) -> Iterator[np.ndarray]:
        top = 0
        for strip in strips:
            job.add_probabilities(top, 0, strip, None)
            top += len(strip)
            job.advance(len(strip) / size[0])
            yield strip

    working = predictor.working(windows.read(0, size[0], 0, size[1]))
    job.write_mask(predictor.decide(watched(predictor.strips(working, size)), size).labels)
