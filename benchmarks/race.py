"""Race Maskwright against two others: same seconds, split, arrays and encoder weights.

    python benchmarks/race.py DATA --seconds 150 --size 128 --encoder-weights FILE

trains ours, the TensorFlow tutorial's recipe (tutorial.py) and segmentation_models.pytorch
(smp_worker.py) one after the other, each in a process of its own, scores all of them at the working
size on the same test images, and prints one line of JSON on standard output. Everything that is not
in the test split is trained on: nobody needs a validation split here. `--encoder NAME` adds ours on
another encoder, such as efficientnet_lite0, with ImageNet weights of its own.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np

from exchange import Settings, Task, write_task
from maskwright.errors import ConfigError, DataError, MaskwrightError
from maskwright.metrics.confusion import confusion, scores

HERE = Path(__file__).resolve().parent
SMP_ENVIRONMENT = HERE.parent / ".venv-smp"
RACERS = {"ours": "ours.py", "tutorial": "tutorial.py", "smp": "smp_worker.py"}
FEATURES = {
    2: "expanded_conv_project_BN",
    4: "block_2_add",
    8: "block_5_add",
    16: "block_12_add",
    32: "out_relu",
}
"""Stride → the layer of Keras's MobileNetV2 that `smp` takes as feature of that stride."""


def parse_size(text: str) -> tuple[int, int]:
    """Height and width in pixels from `128` or `240x320`; `ConfigError` for anything else."""
    sides = text.lower().split("x")
    if len(sides) > 2 or not all(side.isdecimal() and int(side) > 0 for side in sides):
        raise ConfigError(f"Expected --size as 128 or, height first, 240x320; received {text!r}.")
    return int(sides[0]), int(sides[-1])


def parse_racers(text: str) -> list[str]:
    """Names of racers in the order of the race; `ConfigError` for an unknown one."""
    names = [name.strip() for name in text.split(",")]
    unknown = [name for name in names if name not in RACERS]
    if unknown:
        raise ConfigError(f"Expected --only from {', '.join(RACERS)}; received {unknown[0]!r}.")
    return [name for name in RACERS if name in names]


def as_bytes(images: np.ndarray, low: float, high: float) -> np.ndarray:
    """Images with three channels of bytes, which both rivals need; `[low, high]` fills the range.

    Raises:
        DataError: If there are neither one nor three channels.
    """
    if images.dtype != np.uint8:
        scaled = (images.astype(np.float32) - low) / max(high - low, 1e-6)
        images = np.clip(scaled * 255, 0, 255).astype(np.uint8)
    if images.shape[-1] == 1:
        images = np.repeat(images, 3, axis=-1)
    if images.shape[-1] != 3:
        raise DataError(
            "The race needs images of 1 or 3 channels, because the rivals' encoders take nothing "
            f"else; these have {images.shape[-1]}."
        )
    return images


def prepare(
    source: str,
    size: tuple[int, int],
    seconds: float,
    seed: int,
    encoder_weights: str | None,
    model: str,
    folder: Path,
) -> tuple[np.ndarray, int]:
    """Write the task into a folder; give back the test labels, `(n, h, w)`, and `num_classes`.

    Run in a process of its own: a child's peak memory is never reported as less than what its
    parent held when it was started, and TensorFlow would make that half a gigabyte.

    Args:
        source: Data set, as Maskwright opens it.
        size: Working height and width.
        seconds: As in `Settings`, like the next two.
        seed: Of training. The split is the one that every Maskwright command uses.
        encoder_weights: A file, or `None`.
        model: As in `Settings`.
        folder: Where the task goes.
    """
    from maskwright.data.opening import open_dataset
    from maskwright.data.pipeline.load_arrays import load

    dataset = open_dataset(source, val_share=0)
    splits = {
        "test": dataset.of("test"),
        "train": [s for s in dataset.samples if s.masks and s.split in ("train", "val")],
    }
    images, labels, ranges = {}, {}, {}
    for split, samples in splits.items():
        arrays = load(dataset, samples, size)
        images[split] = np.stack([image for image, _ in arrays])
        labels[split] = np.stack([label for _, label in arrays])
        ranges[split] = arrays.value_range
    num_classes = dataset.labels.num_classes
    task = Task(
        Settings(num_classes, seconds, seed, encoder_weights, model),
        as_bytes(images["train"], *ranges["train"]),
        labels["train"],
        as_bytes(images["test"], *ranges["train"]),
    )
    write_task(folder, task)
    if encoder_weights is not None:
        write_encoder(encoder_weights, task.test_images[:2], folder)
    return labels["test"], num_classes


def write_encoder(weights: str, images: np.ndarray, folder: Path) -> None:
    """Write Keras's encoder weights, and its features of some images, as NumPy files for `smp`.

    Raises:
        ConfigError: If the file does not fit Keras's MobileNetV2 1.0 without its top.
    """
    import keras

    from exchange import pad

    images = pad(images, None)
    try:
        encoder = keras.applications.MobileNetV2(
            input_shape=images.shape[1:], include_top=False, weights=weights
        )
    except (ValueError, OSError) as error:
        raise ConfigError(
            "Expected --encoder-weights to be a Keras file of MobileNetV2 1.0 without its top, "
            f"which all three can take; {weights} is not ({str(error).splitlines()[0]})."
        ) from None
    arrays = {}
    filled = [layer for layer in encoder.layers if layer.weights]
    for position, layer in enumerate(filled):
        if isinstance(layer, keras.layers.BatchNormalization):
            values = {
                "gamma": layer.gamma,
                "beta": layer.beta,
                "mean": layer.moving_mean,
                "variance": layer.moving_variance,
            }
        else:
            values = {"kernel": layer.kernel}
        arrays |= {f"{position}/{name}": np.asarray(value) for name, value in values.items()}
    np.savez(folder / "encoder.npz", **arrays)
    model = keras.Model(
        encoder.input, [encoder.get_layer(name).output for name in FEATURES.values()]
    )
    features = model.predict_on_batch(images.astype(np.float32) / 127.5 - 1)
    named = {f"stride_{stride}": values for stride, values in zip(FEATURES, features, strict=True)}
    np.savez(folder / "encoder_features.npz", images=images, **named)


def smp_python() -> Path:
    """Python of the peer's environment, which is made when absent or incomplete."""
    python = SMP_ENVIRONMENT / "bin" / "python"
    # pip installs what others need first, so where this one stands, everything else does.
    complete = "from importlib.metadata import version; version('segmentation-models-pytorch')"
    if python.exists():
        found = subprocess.run([python, "-c", complete], check=False, capture_output=True)
        if found.returncode == 0:
            return python
    print(f"Making {SMP_ENVIRONMENT.name} for the peer (about 5 GB) …", file=sys.stderr)
    requirements = HERE / "requirements-smp.txt"
    subprocess.run([sys.executable, "-m", "venv", SMP_ENVIRONMENT], check=True, stdout=sys.stderr)
    install = [python, "-m", "pip", "install", "--quiet", "-r", requirements]
    subprocess.run(install, check=True, stdout=sys.stderr)
    return python


def run_racer(name: str, folder: Path) -> None:
    """Run one racer on a prepared task, in a process of its own; `ours_ENCODER` is ours on another
    encoder.

    Raises:
        MaskwrightError: If it fails.
    """
    python = smp_python() if name == "smp" else Path(sys.executable)
    print(f"{name} is training …", file=sys.stderr)
    environment = {"TF_CPP_MIN_LOG_LEVEL": "2", **os.environ}
    racer, _, encoder = name.partition("_")
    command = [python, HERE / RACERS[racer], folder, *([encoder] if encoder else [])]
    ended = subprocess.run(command, check=False, stdout=sys.stderr, env=environment)
    if ended.returncode:
        raise MaskwrightError(
            f"Racer {name} ended with code {ended.returncode}; what it said stands above."
        )


def score(name: str, truth: np.ndarray, num_classes: int, folder: Path) -> dict[str, float]:
    """Scores of one racer over all pixels of the test images, with what it cost."""
    guess = np.load(folder / f"{name}_predictions.npy")
    found = scores(confusion(truth, guess, num_classes))
    return {
        "mean_iou": round(float(found.mean_iou), 4),
        "pixel_accuracy": round(float(found.pixel_accuracy), 4),
        **json.loads((folder / f"{name}_result.json").read_text()),
    }


def race(arguments: argparse.Namespace) -> dict[str, dict[str, float]]:
    """Run the whole race; racer → scores."""
    size = parse_size(arguments.size)
    racers = parse_racers(arguments.only)
    if arguments.encoder:
        racers.insert(1 if "ours" in racers else 0, f"ours_{arguments.encoder}")
    if arguments.seconds <= 0:
        raise ConfigError(f"Expected --seconds above 0, received {arguments.seconds:g}.")
    weights = arguments.encoder_weights
    if weights is not None:
        if not Path(weights).is_file():
            raise ConfigError(f"Expected --encoder-weights to be a file; there is no {weights}.")
        weights = str(Path(weights).resolve())
    with tempfile.TemporaryDirectory(prefix="race-") as name:
        folder = Path(name)
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
            told = (arguments.data, size, arguments.seconds, arguments.seed, weights)
            reading = pool.submit(prepare, *told, arguments.model, folder)
            truth, num_classes = reading.result()
        results = {}
        for racer in racers:
            run_racer(racer, folder)
            results[racer] = score(racer, truth, num_classes, folder)
            print(f"{racer}: {json.dumps(results[racer])}", file=sys.stderr)
    return results


def main() -> int:
    """Read the command line, race, print the line; 1 for bad data, 2 for bad usage."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", help="data set, as `maskwright check` takes it")
    parser.add_argument("--seconds", type=float, default=150, help="training time of each")
    parser.add_argument("--size", default="128", help="working size in pixels, 128 or 240x320")
    parser.add_argument("--encoder-weights", help="Keras file of MobileNetV2 1.0 without its top")
    parser.add_argument("--encoder", help="add ours on this encoder and its own ImageNet weights")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--model", choices=("default", "deeplab_v3_plus"), default="default", help="of ours and smp"
    )
    parser.add_argument("--only", default=",".join(RACERS), help="racers, comma between")
    try:
        print(json.dumps(race(parser.parse_args())))
    except MaskwrightError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
