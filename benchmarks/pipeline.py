"""How fast training images come out of three input pipelines, from files to batches.

    python benchmarks/pipeline.py DATA [--size 128] [--batch 16]

takes the training images of DATA, each with one mask file, through ours (decoded once, kept at the
working size), through the `tf.data` of TensorFlow's segmentation tutorial (decode, resize, cache,
shuffle, batch, flip, prefetch) and through a `DataLoader` of PyTorch with two workers, which keeps
nothing, as it is commonly written. All resize alike, flip left to right and make float32 batches.
The first pass decodes; later ones find what it kept. In every round each way starts anew, and all
take their passes in turns; all files were read once before. One JSON line goes to standard output:
images a second of each, medians, how many times as many ours makes, and the CPU time of an image,
which other work on the machine changes less.

PyTorch runs in the environment that race.py makes; where that is absent, it is left out.
"""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from maskwright.data import DataSet, open_dataset
from maskwright.data.samples import Sample
from maskwright.errors import DataError
from race import HERE, SMP_ENVIRONMENT

_WORKERS = 2  # of the `DataLoader`
_BUFFER = 1000  # of the tutorial's `shuffle`

Pass = Callable[[], int]
"""Makes all batches of one epoch; gives the number of images in them. The first call decodes."""


def ours(dataset: DataSet, samples: list[Sample], size: tuple[int, int], batch: int) -> Pass:
    """What training uses, with flips alone."""
    from maskwright.data.pipeline.arrays import Arrays
    from maskwright.data.pipeline.augmentation import Augmentation
    from maskwright.data.pipeline.batches import train_batches
    from maskwright.data.pipeline.epochs import EpochSchedule
    from maskwright.data.pipeline.load_arrays import load

    flips = Augmentation(flip_horizontal=0.5)
    kept: list[Arrays] = []
    epoch = 0

    def once() -> int:
        nonlocal epoch
        if not kept:
            kept.append(load(dataset, samples, size))
        for _ in train_batches(kept[0], EpochSchedule(batch, 0, epoch), flips):
            pass
        epoch += 1
        return len(samples)  # the last batch is filled up with images that came before

    return once


def tutorial(samples: list[Sample], size: tuple[int, int], batch: int) -> Pass:
    """The `tf.data` of TensorFlow's segmentation tutorial, from files, which repeats without end.

    A pass takes as many batches as hold all images: where an iteration ends, TensorFlow 2.21 waits
    for its autotuner, which the tutorial, repeating, never sees.
    """
    import tensorflow as tf

    from tutorial import flip

    def read(image_file: tf.Tensor, mask_file: tf.Tensor) -> tuple[tf.Tensor, ...]:
        image = tf.io.decode_image(tf.io.read_file(image_file), 3, expand_animations=False)
        mask = tf.io.decode_image(tf.io.read_file(mask_file), 1, expand_animations=False)
        labels = tf.cast(tf.image.resize(mask, size, "nearest")[..., 0], tf.int32)
        pixels = tf.image.resize(tf.cast(image, tf.float32) / 255.0, size)
        return pixels, labels, tf.ones_like(labels, tf.float32)

    files = [[str(path) for path in paths] for paths in zip(*map(_files, samples), strict=True)]
    batches = (
        tf.data.Dataset.from_tensor_slices(tuple(files))
        .map(read, num_parallel_calls=tf.data.AUTOTUNE)
        .cache()
        .shuffle(_BUFFER, seed=0)
        .batch(batch)
        .repeat()
        .map(flip)
        .prefetch(tf.data.AUTOTUNE)
    )
    steps = -(-len(samples) // batch)
    endless = iter(batches)
    return lambda: sum(len(next(endless)[0]) for _ in range(steps))


def torch_loader(
    stack: ExitStack, samples: list[Sample], size: tuple[int, int], batch: int
) -> Pass:
    """A `DataLoader` in a process that is started here and ends with the stack."""
    files = [[str(path) for path in _files(sample)] for sample in samples]
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="loader-")))
    told = {"files": files, "size": size, "batch": batch, "workers": _WORKERS}
    (folder / "task.json").write_text(json.dumps(told))
    worker = stack.enter_context(
        subprocess.Popen(
            [SMP_ENVIRONMENT / "bin" / "python", HERE / "loader_worker.py", folder / "task.json"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
    )

    def answer() -> str:
        line = worker.stdout.readline().strip()
        if not line:
            raise RuntimeError("The DataLoader's process ended; what it said stands above.")
        return line

    def once() -> int:
        worker.stdin.write("\n")
        worker.stdin.flush()
        return int(answer())

    answer()  # it is ready: imports do not count
    return once


def _files(sample: Sample) -> tuple[Path, Path]:
    if len(sample.masks) != 1 or {sample.image.suffix, sample.masks[0].suffix} & {".tif", ".tiff"}:
        raise DataError(
            f"{sample.id}: expected one JPEG or PNG image with one mask file, which is all that "
            "the other pipelines read; take other data."
        )
    return sample.image, sample.masks[0]


def measure(
    dataset: DataSet, size: tuple[int, int], batch: int, rounds: int, passes: int
) -> dict[str, object]:
    """Images a second of every way, first and later passes apart."""
    samples = dataset.of("train")
    for sample in samples:
        for path in _files(sample):
            path.read_bytes()  # so that nobody finds the disk slower than the next
    rates: dict[str, dict[str, list[float]]] = {}
    cpu: dict[str, dict[str, list[float]]] = {}
    for _ in range(rounds):
        with ExitStack() as stack:
            ways = {
                "ours": ours(dataset, samples, size, batch),
                "tutorial": tutorial(samples, size, batch),
            }
            if SMP_ENVIRONMENT.is_dir():
                ways["torch"] = torch_loader(stack, samples, size, batch)
            for number in range(1 + passes):
                for name, once in ways.items():
                    began, busy = time.perf_counter(), time.process_time()
                    count = once()
                    rate = count / (time.perf_counter() - began)
                    when = "later" if number else "first"
                    found = rates.setdefault(name, {"first": [], "later": []})
                    found[when].append(rate)
                    if name != "torch":  # works in another process
                        spent = cpu.setdefault(name, {"first": [], "later": []})
                        spent[when].append((time.process_time() - busy) / count * 1e3)
    medians = {
        name: {when: float(np.median(values)) for when, values in found.items()}
        for name, found in rates.items()
    }
    result: dict[str, object] = {"images": len(samples)}
    for name, found in medians.items():
        told = {f"{when}_per_second": round(rate) for when, rate in found.items()}
        ratios = {
            f"{when}_ratio": round(medians["ours"][when] / rate, 2) for when, rate in found.items()
        }
        result[name] = told if name == "ours" else {**told, **ratios}
        if name in cpu:
            spent = {when: round(float(np.median(ms)), 2) for when, ms in cpu[name].items()}
            result[name] |= {f"{when}_cpu_ms": ms for when, ms in spent.items()}
    return result


def main(
    data: Annotated[Path, typer.Argument(help="Data set of JPEG or PNG files.")],
    size: Annotated[int, typer.Option(min=8, help="Side that all are resized to, px.")] = 128,
    batch: Annotated[int, typer.Option(min=1, help="Images in a batch.")] = 16,
    rounds: Annotated[int, typer.Option(min=1, help="Times that each starts anew.")] = 3,
    passes: Annotated[int, typer.Option(min=1, help="Later passes of a round.")] = 4,
) -> None:
    """Open, measure in turns, print."""
    if not SMP_ENVIRONMENT.is_dir():
        print(f"PyTorch is left out: there is no {SMP_ENVIRONMENT.name}.", file=sys.stderr)
    found = measure(open_dataset(data, val_share=0), (size, size), batch, rounds, passes)
    print(json.dumps(found))


if __name__ == "__main__":
    typer.run(main)
