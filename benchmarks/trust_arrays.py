"""What benchmarks/trust.py computes from: probabilities and features of images, predicted once.

Everything lies in a folder and is made again only where it is absent: a run, `predicted.npz` of its
probabilities, masks and features, and `spoiled.npz` of models trained on masks with faults.
"""

import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import cv2
import keras
import numpy as np

from exchange import Settings
from maskwright.data.opening import open_dataset, open_with_doubts
from maskwright.data.pipeline.arrays import Arrays
from maskwright.data.pipeline.load_arrays import load
from maskwright.errors import MaskwrightError
from maskwright.imageio import read_image
from maskwright.inference.predictor import Predictor
from ours import run_ours
from runs import train
from spoiling import spoil

STRIDES = (8, 16)
FOREIGN_IMAGES = 100
FOLDS = 3
SPOILED_IN_TRAINING = 0.1
_BATCH = 16

Damage = Callable[[np.ndarray, np.random.Generator], np.ndarray]


def _jpeg(quality: int) -> Damage:
    def damage(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        _, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])
        return cv2.imdecode(data, cv2.IMREAD_UNCHANGED)

    return damage


def _noise(deviation: float) -> Damage:
    return lambda image, rng: image + rng.normal(0, deviation, image.shape)


def _blur(sigma: float) -> Damage:
    return lambda image, rng: cv2.GaussianBlur(image, (0, 0), sigma)


def _contrast(factor: float) -> Damage:
    return lambda image, rng: (image - image.mean()) * factor + image.mean()


def _coarse(side: int) -> Damage:
    def damage(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        height, width = image.shape[:2]
        small = cv2.resize(image, (width // side, height // side), interpolation=cv2.INTER_AREA)
        return cv2.resize(small, (width, height), interpolation=cv2.INTER_NEAREST)

    return damage


DAMAGES: Mapping[str, Damage] = {
    "strong/jpeg": _jpeg(5),
    "strong/noise": _noise(60),
    "strong/blur": _blur(4),
    "strong/contrast": _contrast(0.2),
    "strong/coarse": _coarse(6),
    "mild/jpeg": _jpeg(20),
    "mild/noise": _noise(20),
    "mild/blur": _blur(1.5),
    "mild/contrast": _contrast(0.5),
    "mild/coarse": _coarse(3),
}
"""Of images of 8 bits at the size of the model, by strength."""


def ensure_run(data: Path, folder: Path, minutes: float, encoder_weights: str | None) -> Path:
    """Train at 128 px unless it is done."""
    run = folder / "run"
    weights = f"encoder_weights={encoder_weights or 'none'}"
    train(data, run, None, minutes, "size=128", weights)
    return run


def predicted(run: Path, data: Path, file: Path) -> dict[str, np.ndarray]:
    """Arrays of the splits, the foreign sets and the damages, read from `file` if it is there."""
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        np.savez(file, **_predict(run, data))
    with np.load(file, allow_pickle=False) as arrays:
        return dict(arrays)


def _predict(run: Path, data: Path) -> dict[str, np.ndarray]:
    predictor, features = Predictor.load(run), _feature_extractor(run)
    size = predictor.card.size
    if size is None:
        raise MaskwrightError("Expected a run with a working size; train one with --set size=128.")
    dataset = open_dataset(data, unite_duplicates=True)
    arrays: dict[str, np.ndarray] = {"names": np.array(dataset.labels.names)}
    for split in ("train", "test"):
        samples = dataset.of(split)
        loaded = load(dataset, samples, size)
        images = np.stack([image for image, _ in loaded])
        mirrored = _in_batches(predictor.probabilities, images[:, :, ::-1])[:, :, ::-1]
        arrays |= {
            f"{split}/images": images,
            f"{split}/labels": np.stack([labels for _, labels in loaded]),
            f"{split}/cases": np.array([sample.together for sample in samples]),
            f"{split}/probabilities": _in_batches(predictor.probabilities, images),
            f"{split}/mirrored": mirrored,
            f"{split}/features": features(images),
        }
    rng = np.random.default_rng(0)
    for name, damage in DAMAGES.items():
        damaged = [damage(image, rng) for image in arrays["test/images"].astype(np.uint8)]
        damaged = np.stack(damaged).clip(0, 255).round()
        arrays[f"damage/{name}"] = features(damaged)
        if name == "strong/jpeg":
            arrays["damage/probabilities"] = _in_batches(predictor.probabilities, damaged)
    for place in sorted(data.resolve().parent.iterdir()):
        if place.is_dir() and place.name != data.resolve().name:
            try:
                others = open_with_doubts(place).samples[:FOREIGN_IMAGES]
                images = [predictor.working(read_image(sample.image)) for sample in others]
                arrays[f"foreign/{place.name}"] = features(np.stack(images))
            except MaskwrightError as error:
                print(f"{place.name} is left out: {error}", file=sys.stderr)
    return arrays


def spoiled_out_of_fold(
    arrays: Mapping[str, np.ndarray],
    file: Path,
    seconds: float,
    encoder_weights: str | None,
    seed: int = 0,
) -> dict[str, np.ndarray]:
    """Masks of the training images, one in ten spoiled, and what models of other folds predict."""
    if not file.exists():
        images, labels = arrays["train/images"], arrays["train/labels"].astype(np.uint8)
        rng = np.random.default_rng(seed)
        given, is_spoiled = spoil(labels, SPOILED_IN_TRAINING, rng, _background(arrays))
        fold = rng.permutation(len(images)) % FOLDS
        num_classes = len(arrays["names"])
        probabilities = np.empty((*labels.shape, num_classes), np.float32)
        for held_out in range(FOLDS):
            learned = fold != held_out
            settings = Settings(num_classes, seconds, held_out, encoder_weights, "default")
            data = Arrays.from_numpy(images[learned].astype(np.uint8), given[learned])
            model, _ = run_ours(data, settings)
            logits = _in_batches(model.predict_on_batch, images[~learned].astype(np.float32))
            exponentials = np.exp(logits - logits.max(axis=-1, keepdims=True))
            probabilities[~learned] = exponentials / exponentials.sum(axis=-1, keepdims=True)
        np.savez(file, given=given, is_spoiled=is_spoiled, probabilities=probabilities)
    with np.load(file, allow_pickle=False) as saved:
        return dict(saved)


def _background(arrays: Mapping[str, np.ndarray]) -> int:
    names = arrays["names"].tolist()
    return names.index("background")


def _feature_extractor(run: Path) -> Callable[[np.ndarray], np.ndarray]:
    """Images to the channel means of the encoder at strides 8 and 16, side by side."""
    encoder = keras.saving.load_model(run / "model.keras").get_layer("encoder")
    means = [keras.ops.mean(output, axis=(1, 2)) for output in encoder.outputs]
    side = 64
    shapes = [f.shape for f in encoder(np.zeros((1, side, side, encoder.inputs[0].shape[-1])))]
    chosen = [m for m, shape in zip(means, shapes, strict=True) if side // shape[1] in STRIDES]
    model = keras.Model(encoder.inputs, keras.ops.concatenate(chosen, axis=-1))
    return lambda images: _in_batches(model.predict_on_batch, images.astype(np.float32))


def _in_batches(function: Callable[[np.ndarray], np.ndarray], images: np.ndarray) -> np.ndarray:
    parts = [function(images[i : i + _BATCH]) for i in range(0, len(images), _BATCH)]
    return np.concatenate(parts)
