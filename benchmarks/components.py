"""Time to clean masks and to list their components, and scikit-image's way to both.

    python benchmarks/components.py

draws masks of blobs with specks and holes, of every `--side`, and checks first that both ways give
the same; then they work in turns. `clean` removes specks and fills holes, in `largest` all but the
largest component goes too; `list` is the area and the box of every component. One JSON line goes to
standard output: for each side the components, and for each job the milliseconds of a mask, the
median, and how many times as long the other takes.
"""

import json
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import Annotated

import cv2
import numpy as np
import typer
from skimage.measure import label, regionprops
from skimage.morphology import remove_small_holes, remove_small_objects

from maskwright.inference.postprocess import clean

_SPECK_PX = 40  # smaller components go
_HOLE_PX = 60  # holes up to here are filled
_GRAIN_PX = 6  # blur of the noise that is cut into blobs

Way = Callable[[np.ndarray], np.ndarray]


def draw(side: int, seed: int = 0) -> np.ndarray:
    """Labels 0 and 1, uint8 `(side, side)`: blobs, specks among them and holes in them.

    The background reaches the whole border, because a hole that touches it is none to us, and to
    scikit-image it is.
    """
    rng = np.random.default_rng(seed)
    noise = cv2.GaussianBlur(rng.normal(size=(side, side)).astype(np.float32), (0, 0), _GRAIN_PX)
    mask = (noise > 0.5 * noise.std()).astype(np.uint8)
    for value in (0, 1):
        holes = cv2.dilate((rng.random((side, side)) < 5e-4).astype(np.uint8), np.ones((3, 3)))
        mask[holes > 0] = value
    mask[[0, -1]] = 0
    mask[:, [0, -1]] = 0
    return mask


def skimage_clean(mask: np.ndarray, largest: bool = False) -> np.ndarray:
    """The same as `clean` by what scikit-image offers."""
    # It removes up to a size and with it; we remove below one.
    kept = remove_small_objects(mask > 0, max_size=_SPECK_PX - 1, connectivity=2)
    if largest:
        components = label(kept, connectivity=2)
        areas = np.bincount(components.ravel())
        kept = components == 1 + np.argmax(areas[1:])
    return remove_small_holes(kept, max_size=_HOLE_PX, connectivity=1).astype(np.uint8)


def our_list(mask: np.ndarray) -> np.ndarray:
    """Area, left, top, width and height of every component, in rows, as cleaning counts them."""
    columns = [cv2.CC_STAT_AREA, cv2.CC_STAT_LEFT, cv2.CC_STAT_TOP]
    columns += [cv2.CC_STAT_WIDTH, cv2.CC_STAT_HEIGHT]
    _, _, statistics, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
    return statistics[1:, columns]


def skimage_list(mask: np.ndarray) -> np.ndarray:
    """The same by `label` and `regionprops`."""
    rows = []
    for region in regionprops(label(mask, connectivity=2)):
        top, left, bottom, right = region.bbox
        rows.append((region.area, left, top, right - left, bottom - top))
    return np.array(rows, np.int32).reshape(-1, 5)


def check(ours: np.ndarray, theirs: np.ndarray, job: str) -> None:
    """End the run where both ways differ; the order of components is free."""
    if job == "list":
        ours, theirs = (rows[np.lexsort(rows.T)] for rows in (ours, theirs))
    if not np.array_equal(ours, theirs):
        sys.exit(f"Both ways differ in {job}; nothing is timed.")


def race(mask: np.ndarray, rounds: int) -> dict[str, dict[str, float]]:
    """Job → milliseconds of both and their ratio."""
    cleaning = {"min_area_px": _SPECK_PX, "fill_holes_px": _HOLE_PX}
    jobs: dict[str, tuple[Way, Way]] = {
        "clean": (partial(clean, **cleaning), skimage_clean),
        "largest": (
            partial(clean, **cleaning, keep_largest=True),
            partial(skimage_clean, largest=True),
        ),
        "list": (our_list, skimage_list),
    }
    found = {}
    for job, ways in jobs.items():
        check(*(way(mask) for way in ways), job)
        seconds: tuple[list[float], list[float]] = ([], [])
        for _ in range(rounds):
            for way, spent in zip(ways, seconds, strict=True):
                began = time.perf_counter()
                way(mask)
                spent.append(time.perf_counter() - began)
        ours, theirs = (1000 * float(np.median(spent)) for spent in seconds)
        ratio = round(theirs / ours, 2)
        found[job] = {"ms": round(ours, 2), "skimage_ms": round(theirs, 2), "ratio": ratio}
    return found


def main(
    side: Annotated[list[int] | None, typer.Option(min=32, help="Sides, px; repeatable.")] = None,
    rounds: Annotated[int, typer.Option(min=1, help="Times that each way works.")] = 9,
) -> None:
    """Draw, check, time in turns, print."""
    result = {}
    for length in side or (512, 2048, 4096):
        mask = draw(length)
        result[str(length)] = {"components": len(our_list(mask)), **race(mask, rounds)}
    print(json.dumps(result))


if __name__ == "__main__":
    typer.run(main)
