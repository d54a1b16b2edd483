"""Time from pixels to logits: ours in every engine, Keras and TensorFlow, and the peer's U-Net.

    python benchmarks/latency.py --size 128 --batch 1 --run RUN --data DATA

exports the network of a run for every engine, in eight bits too, and times it against
`keras.Model.predict` and a `tf.function` of the same network, and against
segmentation_models.pytorch's U-Net on the same encoder: eager, channels-last and `torch.compile`.
Every family has a process of its own, waits while another works, and they take turns; of each way
the median counts. Without --run a new network with drawn images does, whose Dice says nothing.

One JSON line goes to standard output: `ours_ms` is the fastest float engine, `int8_ms` the fastest
in eight bits, `smp_ms` the peer's best, all for a whole batch; `peak_share` is the arithmetic of
our network a second, as a share of what a product of two float matrices reaches on this machine.
`--all` prints a line for 128, 256 and 512 px with 1 and 16 images each.
"""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from race import smp_python

HERE = Path(__file__).resolve().parent
WORKER, PEER = HERE / "latency_worker.py", HERE / "latency_smp.py"
_ENGINES = ("onnx", "openvino", "litert")
_EIGHT_BITS = ("onnx_int8", "openvino_int8")
_MATRIX = 2048


class Family:
    """A process that times some ways to run a network when it is told to."""

    def __init__(self, command: Sequence[str | Path]) -> None:
        self.process = subprocess.Popen(
            [str(part) for part in command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.ways: list[str] = self._read()

    def time(self, way: str, seconds: float) -> list[float]:
        """Milliseconds of each call within some seconds, after two calls that do not count."""
        if self.process.stdin is None:
            raise RuntimeError("The process has no input.")
        print(way, seconds, file=self.process.stdin, flush=True)
        return self._read()

    def close(self) -> None:
        """Let the process end."""
        self.process.kill()
        self.process.wait()

    def _read(self) -> Any:
        if self.process.stdout is None:
            raise RuntimeError("The process has no output.")
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self.process.args} ended too early.")
        return json.loads(line)


@contextmanager
def families(
    folder: Path, size: int, batch: int, only: Sequence[str]
) -> Iterator[dict[str, Family]]:
    """Every way by name, with the process that times it."""
    with ExitStack() as stack:
        found: dict[str, Family] = {}
        python = Path(sys.executable)
        commands: dict[str, list[str | Path]] = {
            "engines": [python, WORKER, "engines", folder],
            "keras": [python, WORKER, "keras", folder],
        }
        if "smp" in only:
            commands["smp"] = [smp_python(), PEER]
        for name, command in commands.items():
            if name in only:
                family = Family([*command, str(size), str(batch)])
                stack.callback(family.close)
                found |= dict.fromkeys(family.ways, family)
        yield found


def peak_gflops() -> float:
    """Billions of multiplications and additions a second in a product of two float matrices."""
    rng = np.random.default_rng(0)
    left, right = rng.random((2, _MATRIX, _MATRIX), np.float32)
    seconds = []
    for _ in range(6):
        began = time.perf_counter()
        left @ right
        seconds.append(time.perf_counter() - began)
    return 2 * _MATRIX**3 / min(seconds) / 1e9


def race(folder: Path, size: int, batch: int, rounds: int, only: Sequence[str]) -> dict[str, Any]:
    """One line: medians of all ways on one size and batch."""
    times: dict[str, list[float]] = {}
    peaks = []
    with families(folder, size, batch, only) as ways:
        for _ in range(rounds):
            peaks.append(peak_gflops())
            for name, family in ways.items():
                times.setdefault(name, []).extend(family.time(name, 1.0))
    medians = {name: round(float(np.median(values)), 3) for name, values in times.items()}
    facts = json.loads((folder / "facts.json").read_text())
    line: dict[str, Any] = {"size": size, "batch": batch}

    def best(names: Sequence[str]) -> float | None:
        return min((medians[name] for name in names if name in medians), default=None)

    ours = best(_ENGINES)
    line |= {"ours_ms": ours, "int8_ms": best(_EIGHT_BITS), "predict_ms": best(("predict",))}
    line["smp_ms"] = best([name for name in medians if name.startswith("smp_")])
    if ours is not None:
        gflop = 2 * facts["multiply_adds"] * (size / facts["size"]) ** 2 * batch / 1e9
        line["peak_share"] = round(gflop / (ours / 1e3) / float(np.median(peaks)), 3)
        for other in ("predict", "smp"):
            if line[f"{other}_ms"] is not None:
                line[f"{other}_by_ours"] = round(line[f"{other}_ms"] / ours, 2)
        if line["int8_ms"] is not None:
            line["ours_by_int8"] = round(ours / line["int8_ms"], 2)
    line["images_per_second"] = None if ours is None else round(1e3 * batch / ours, 1)
    line["int8_dice_change"] = facts["dice_change"]
    line["sgemm_gflops"] = round(float(np.median(peaks)), 1)
    line["all_ms"] = medians
    return line


def main(
    size: Annotated[int, typer.Option(help="Side of the images, px; a multiple of 32.")] = 128,
    batch: Annotated[int, typer.Option(help="Images at once.", min=1)] = 1,
    run: Annotated[Path | None, typer.Option(help="Run whose network is timed.")] = None,
    data: Annotated[str | None, typer.Option(help="Its data set, for eight bits.")] = None,
    rounds: Annotated[int, typer.Option(help="Turns, of a second for each way.", min=1)] = 8,
    only: Annotated[str, typer.Option(help="Families, of engines, keras, smp.")] = "",
    all: Annotated[bool, typer.Option("--all", help="Three sizes, two batches.")] = False,
) -> None:
    """Export, time in turns, print."""
    chosen = only.split(",") if only else ["engines", "keras", "smp"]
    pairs = [(s, b) for s in (128, 256, 512) for b in (1, 16)] if all else [(size, batch)]
    with tempfile.TemporaryDirectory() as scratch:
        for side in dict.fromkeys(side for side, _ in pairs):
            folder = Path(scratch) / str(side)
            folder.mkdir()
            command = [sys.executable, str(WORKER), "write", str(folder), str(side)]
            command += [str(run or ""), data or ""]
            subprocess.run(command, check=True, stdout=sys.stderr)
            for _, number in (pair for pair in pairs if pair[0] == side):
                print(json.dumps(race(folder, side, number, rounds, chosen)), flush=True)


if __name__ == "__main__":
    typer.run(main)
