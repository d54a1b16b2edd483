"""Masks of large images, timed: `python benchmarks/large.py MODEL (--parts DIR | --side PX)`.

The image is put together of the JPEGs of a folder, cut in rows of three, or drawn. For each of some
rounds, in processes of their own: `maskwright predict`; the bare network on tiles of the same
image, as many as it takes to be sure of its rate; and a plain loop that reads the whole image and
runs tile after tile beside each other, with no overlap. Then predict is killed half-way and
started again. Prints one line of JSON, medians of the rounds:

- `seconds_per_mpx` and `peak_mb` of predict, start of the program included;
- `bare_seconds_per_mpx`, of the network alone on all tiles that overlap asks for;
- `overhead_percent`, what predict takes beyond that; `cpu_overhead_percent`, the same in seconds of
  processors, which does not depend on what else the machine does;
- `loop_seconds_per_mpx` and `loop_peak_mb`;
- `resumed_identical`, whether the file of the killed run has the same bytes.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median

import cv2
import numpy as np
import tifffile

from maskwright.imageio import natural_key, read_image
from maskwright.imageio.windows import open_windows
from maskwright.inference import Predictor
from maskwright.inference.tiling import TileGrid

SIDE = 512  # of the tiles of the image file, px
BATCH = 4
BARE_BATCHES = 40


def assemble(folder: Path, path: Path) -> None:
    """Parts 3x3, from left to right and top to bottom, as one tiled TIFF."""
    parts = [read_image(p) for p in sorted(folder.glob("*.jpg"), key=lambda p: natural_key(p.name))]
    rows = [np.concatenate(parts[first : first + 3], axis=1) for first in range(0, 9, 3)]
    write(path, np.concatenate(rows))


def write(path: Path, image: np.ndarray) -> None:
    options = {"photometric": "rgb", "compression": "zlib", "tile": (SIDE, SIDE)}
    tifffile.imwrite(path, image, **options)


def draw(side: int, path: Path) -> None:
    """Smooth colors with grain, drawn and written tile by tile."""

    def tiles() -> Iterator[np.ndarray]:
        number = -(-side // SIDE)
        for seed in range(number * number):
            rng = np.random.default_rng(seed)
            coarse = rng.integers(0, 256, (8, 8, 3), dtype=np.uint8)
            smooth = cv2.resize(coarse, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC)
            grain = rng.integers(0, 16, (SIDE, SIDE, 1), dtype=np.uint8)
            yield cv2.add(smooth, np.repeat(grain, 3, axis=2))

    with tifffile.TiffWriter(path, bigtiff=True) as tiff:
        tiff.write(
            tiles(),
            shape=(side, side, 3),
            dtype=np.uint8,
            photometric="rgb",
            compression="jpeg",
            tile=(SIDE, SIDE),
        )


def bare(model: Path, image: Path) -> None:
    """Print the number of tiles, and the seconds and processor seconds that the network takes."""
    predictor = Predictor.load(model)
    rng = np.random.default_rng(0)
    with open_windows(image) as windows:
        grid = TileGrid.over((windows.height, windows.width), predictor.card.tile)
        seconds, cpu_seconds = [], []
        for number in range(BARE_BATCHES):
            corners = zip(rng.choice(grid.tops, BATCH), rng.choice(grid.lefts, BATCH), strict=True)
            tiles = [
                windows.read(top, top + grid.tile[0], left, left + grid.tile[1])
                for top, left in corners
            ]
            pixels = np.stack(tiles).astype(np.float32)
            started, cpu_started = time.perf_counter(), time.process_time()
            predictor.logits(pixels)
            if number >= 3:  # the first ones plan memory
                seconds.append(time.perf_counter() - started)
                cpu_seconds.append(time.process_time() - cpu_started)
    # The mean and not the median: what slows the machine now and then slows predict too.
    tiles = len(grid.tops) * len(grid.lefts)
    share = tiles / len(seconds) / BATCH
    print(json.dumps([tiles, sum(seconds) * share, sum(cpu_seconds) * share]))


def loop(model: Path, image: Path) -> None:
    """What one writes first: the whole image in memory, tiles beside each other."""
    predictor = Predictor.load(model)
    pixels = read_image(image, max_pixels=2**40)
    side = predictor.card.tile or SIDE
    labels = np.zeros(pixels.shape[:2], np.uint8)
    for top in range(0, len(pixels) - side + 1, side):
        for left in range(0, pixels.shape[1] - side + 1, side):
            place = np.s_[top : top + side, left : left + side]
            values = predictor.logits(pixels[place][None].astype(np.float32))
            labels[place] = values[0].argmax(axis=-1)
    tifffile.imwrite(image.with_name("loop.tif"), labels, compression="zlib", tile=(SIDE, SIDE))


def predict_command(model: Path, image: Path, out: Path) -> list[str]:
    program = [sys.executable, "-c", "from maskwright.cli import main; main()", "predict"]
    return [*program, str(model), str(image), "-o", str(out), "--large"]


def timed(command: list[str]) -> tuple[float, float, float, str]:
    """Seconds, processor seconds, peak memory in MB, and what a command printed."""
    started = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        printed = process.stdout.read() if process.stdout else ""
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"{' '.join(command)} failed with {process.returncode}")
    cpu = usage.ru_utime + usage.ru_stime
    return time.perf_counter() - started, cpu, usage.ru_maxrss / 1024, printed


def kill_half_way(command: list[str], out: Path, seconds: float) -> float:
    """Run a command, kill it after half of its usual time; the share of the mask that was done."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    time.sleep(seconds / 2)
    process.send_signal(signal.SIGKILL)
    process.wait()
    done = 0
    for piece in out.glob(".*.partial/labels/*.z"):
        top, bottom, left, right = map(int, piece.stem.split("-"))
        done += (bottom - top) * (right - left)
    return done


def measure(model: Path, image: Path, work: Path, rounds: int, kill: bool) -> dict[str, object]:
    with open_windows(image) as windows:
        size = (windows.height, windows.width)
    mpx = size[0] * size[1] / 1e6
    own = [sys.executable, __file__, str(model), "--image", str(image), "--child"]
    names = ("predict", "cpu", "peak", "bare", "bare_cpu", "loop", "loop_peak")
    found: dict[str, list[float]] = {name: [] for name in names}
    tiles = 0
    for number in range(rounds):
        out = work / f"out{number}"
        seconds, cpu, peak, _ = timed(predict_command(model, image, out))
        tiles, bare_seconds, bare_cpu = json.loads(timed([*own, "bare"])[3])
        for name, value in zip(names, (seconds, cpu, peak, bare_seconds, bare_cpu), strict=False):
            found[name].append(value)
        if mpx < 200:  # the loop holds the whole image
            seconds, _, peak, _ = timed([*own, "loop"])
            found["loop"].append(seconds)
            found["loop_peak"].append(peak)
    middle = {name: median(values) for name, values in found.items() if values}
    # Each round against its own bare rate, because the machine is not always equally busy.
    overheads, cpu_overheads = (
        [a / b - 1 for a, b in zip(found[one], found[other], strict=True)]
        for one, other in (("predict", "bare"), ("cpu", "bare_cpu"))
    )
    result: dict[str, object] = {
        "size": size,
        "tiles": tiles,
        "seconds": round(middle["predict"], 1),
        "seconds_per_mpx": round(middle["predict"] / mpx, 3),
        "peak_mb": round(middle["peak"]),
        "bare_seconds_per_mpx": round(middle["bare"] / mpx, 3),
        "overhead_percent": round(100 * median(overheads), 1),
        "cpu_overhead_percent": round(100 * median(cpu_overheads), 1),
    }
    if "loop" in middle:
        result["loop_seconds_per_mpx"] = round(middle["loop"] / mpx, 3)
        result["loop_peak_mb"] = round(middle["loop_peak"])
    if kill:
        out = work / "killed"
        command = predict_command(model, image, out)
        done = kill_half_way(command, out, middle["predict"])
        seconds, _, peak, _ = timed(command)
        first, second = (next(folder.glob("*.tif")) for folder in (work / "out0", out))
        result |= {
            "killed_at_percent": round(done / mpx / 1e4, 1),
            "resumed_seconds": round(seconds, 1),
            "resumed_peak_mb": round(peak),
            "resumed_identical": first.read_bytes() == second.read_bytes(),
        }
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("model", type=Path, help="run or artifact that works at native scale")
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--parts", type=Path, help="folder of nine JPEGs")
    source.add_argument("--side", type=int, help="of a drawn image, px")
    source.add_argument("--image", type=Path, help="an image as it is")
    parser.add_argument("--work", type=Path, help="folder for image and masks; a temporary one")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--no-kill", action="store_true", help="leave out the killed run")
    parser.add_argument("--child", choices=("bare", "loop"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child:
        {"bare": bare, "loop": loop}[given.child](given.model, given.image)
        return
    with tempfile.TemporaryDirectory() as folder:
        work = given.work or Path(folder)
        work.mkdir(parents=True, exist_ok=True)
        image = given.image or work / "large.tif"
        if given.parts:
            assemble(given.parts, image)
        elif given.side:
            draw(given.side, image)
        print(json.dumps(measure(given.model, image, work, given.rounds, not given.no_kill)))


if __name__ == "__main__":
    main()
