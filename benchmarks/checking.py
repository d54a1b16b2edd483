"""How long `maskwright check` takes on many drawn images, and how much memory.

    python benchmarks/checking.py [--pairs 20000] [--size 512] [--suffix .png] [--keep DIR]

draws images of scenes with textured ellipses on textured ground and their masks of four classes,
checks them by the command line in a process of its own, twice: the second time finds what the
masks hold as it was remembered. One JSON line for each part goes to standard output: `seconds`,
`cpu_seconds`, both of the whole program, `peak_mb`, and the exit code. The folder of `--keep` is
not drawn again where it holds as many images.
"""

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Annotated

import cv2
import numpy as np
import typer

_CLASSES = 3  # beside the ground
_SPLITS = ("train", "train", "train", "val", "test")


def draw_pair(folder: Path, size: int, suffix: str, number: int) -> None:
    """Write an image and its mask, other ones for each number."""
    rng = np.random.default_rng([7, number])
    ground = rng.uniform(60, 160, (12, 12, 3)).astype(np.float32)
    image = cv2.resize(ground, (size, size), interpolation=cv2.INTER_CUBIC)
    mask = np.zeros((size, size), np.uint8)
    for _ in range(8):
        center, axes = rng.integers(0, size, 2), rng.integers(size // 20, size // 6, 2)
        label, color = int(rng.integers(1, _CLASSES + 1)), rng.uniform(30, 220, 3)
        ellipse = (center.tolist(), axes.tolist(), float(rng.uniform(0, 180)), 0, 360)
        cv2.ellipse(mask, *ellipse, label, -1)
        cv2.ellipse(image, *ellipse, color.tolist(), -1)
    grain = rng.integers(-6, 7, (size // 2, size // 2, 1), np.int8).astype(np.float32)
    grain = cv2.resize(grain, (size, size), interpolation=cv2.INTER_NEAREST)[..., None]
    place = folder / _SPLITS[number % len(_SPLITS)]
    name = f"{number:06}"
    pixels = (image + grain).clip(0, 255).astype(np.uint8)
    cv2.imwrite(str(place / "images" / f"{name}{suffix}"), pixels)
    cv2.imwrite(str(place / "masks" / f"{name}.png"), mask)


def draw_all(folder: Path, pairs: int, size: int, suffix: str) -> dict[str, object]:
    """Draw what is missing; what was drawn, in numbers."""
    for split in set(_SPLITS):
        for kind in ("images", "masks"):
            (folder / split / kind).mkdir(parents=True, exist_ok=True)
    if len(list(folder.rglob(f"images/*{suffix}"))) != pairs:
        with ThreadPoolExecutor() as pool:
            list(pool.map(partial(draw_pair, folder, size, suffix), range(pairs)))
    files = [path.stat().st_size for path in folder.rglob("images/*")]
    return {"pairs": len(files), "size": size, "mean_image_kb": round(np.mean(files) / 1e3, 1)}


def check(folder: Path, cache: Path) -> dict[str, object]:
    """Run the command, and tell what it took."""
    command = [sys.executable, "-m", "maskwright", "check", str(folder), "--json"]
    began, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    environment = {**os.environ, "XDG_CACHE_HOME": str(cache)}
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    report = json.loads(done.stdout)
    return {
        "seconds": round(time.perf_counter() - began, 1),
        "cpu_seconds": round(
            after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, 1
        ),
        "peak_mb": round(after.ru_maxrss / 1024),
        "exit_code": done.returncode,
        "findings": [finding["code"] for finding in report["findings"]],
    }


def main(
    pairs: Annotated[int, typer.Option(min=10, help="Images to draw, with as many masks.")] = 20000,
    size: Annotated[int, typer.Option(min=64, help="Side of the images, px.")] = 512,
    suffix: Annotated[str, typer.Option(help="Format of the images.")] = ".png",
    keep: Annotated[Path | None, typer.Option(help="Folder to draw in, which stays.")] = None,
) -> None:
    """Draw, check twice, print."""
    with tempfile.TemporaryDirectory(prefix="checking-") as scratch:
        folder, cache = keep or Path(scratch) / "data", Path(scratch) / "cache"
        print(json.dumps({"part": "drawn", **draw_all(folder, pairs, size, suffix)}), flush=True)
        for part in ("first", "again"):
            print(json.dumps({"part": part, **check(folder, cache)}), flush=True)


if __name__ == "__main__":
    typer.run(main)
