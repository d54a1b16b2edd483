"""How fast regions leave their masks: `python benchmarks/extraction.py [--images N]`.

Draws images of 512 x 512 px with 20 regions each, one after the other, and cuts every region out at
96 px and measures it, in one thread. For every tenth image a plain loop over scikit-image's
`regionprops` does the same work in the same run; its time is scaled to all images, and what both
measure must agree. Prints one line of JSON; drawing is not timed, and `peak_memory_mb` is by how
much the memory of the process grew after the first two images.
"""

import argparse
import json
import resource
import sys
import time
from collections.abc import Iterator

import cv2
import numpy as np
from scipy import ndimage
from skimage import filters, measure, morphology, transform

from maskwright.tasks.regions import CropSpec, Region, extract

SIDE, ACROSS, DOWN = 512, 5, 4
SIZE, CONTEXT = 96, 0.2
SPEC = CropSpec(size=SIZE, context=CONTEXT)
AGAINST_EVERY = 10


def scenes(count: int, seed: int = 0) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Noisy images, uint8 `(512, 512, 3)`, and labels of two classes in blobs that do not touch."""
    rng = np.random.default_rng(seed)
    angles = np.linspace(0, 2 * np.pi, 48, endpoint=False)
    for _ in range(count):
        mask = np.zeros((SIDE, SIDE), np.uint8)
        for number in range(ACROSS * DOWN):
            row, column = divmod(number, ACROSS)
            middle = ((column + 0.5) * SIDE / ACROSS, (row + 0.5) * SIDE / DOWN)
            waves = sum(
                rng.normal(0, 0.12) * np.cos(k * angles + rng.uniform(0, 6)) for k in (2, 3, 5, 7)
            )
            radii = rng.uniform(12, 40) * (1 + waves).clip(0.3, 1.2)
            outline = np.stack([np.cos(angles), np.sin(angles)], 1) * radii[:, None] + middle
            cv2.fillPoly(mask, [outline.round().astype(np.int32)], int(rng.integers(1, 3)))
        image = rng.normal(110, 20, (SIDE, SIDE, 3)) + 30 * mask[..., None]
        yield cv2.GaussianBlur(image, (0, 0), 1).clip(0, 255).astype(np.uint8), mask


def plain(image: np.ndarray, mask: np.ndarray) -> list[dict[str, float]]:
    """Same crops and measures, by a loop over `regionprops` and what scikit-image offers."""
    rows = []
    for region in measure.regionprops(measure.label(mask, connectivity=2)):
        top, left, bottom, right = region.bbox
        height, width = bottom - top, right - left
        side = max(length + 2 * int(np.ceil(CONTEXT * length)) for length in (height, width))
        first, second = top - (side - height) // 2, left - (side - width) // 2
        window = np.s_[max(first, 0) : first + side, max(second, 0) : second + side]
        pad = [(max(-start, 0), max(start + side - SIDE, 0)) for start in (first, second)]
        crop = np.pad(image[window], [*pad, (0, 0)])
        transform.resize(crop, (SIZE, SIZE), anti_aliasing=side > SIZE, preserve_range=True)
        inside = np.zeros((side, side), bool)
        inside[top - first :, left - second :][:height, :width] = region.image
        transform.resize(inside, (SIZE, SIZE), order=0, anti_aliasing=False)
        rows.append(_measures(region, image))
    return rows


def _measures(
    region: "measure._regionprops.RegionProperties", image: np.ndarray
) -> dict[str, float]:
    perimeter = measure.perimeter_crofton(region.image)
    hull = measure.perimeter_crofton(region.image_convex)
    reach = max(3, round(0.1 * region.equivalent_diameter_area))
    top, left, bottom, right = region.bbox
    corner = max(top - reach, 0), max(left - reach, 0)
    pixels = image[corner[0] : bottom + reach, corner[1] : right + reach]
    gray = pixels @ np.array([0.299, 0.587, 0.114])
    inside = np.zeros(gray.shape, bool)
    inside[top - corner[0] :, left - corner[1] :][: bottom - top, : right - left] = region.image
    ring = morphology.dilation(inside, morphology.disk(reach)) & ~inside
    within = morphology.erosion(inside)
    values, around = gray[inside], gray[ring]
    return {
        "area_px": region.area,
        "perimeter_px": perimeter,
        "convexity": hull / perimeter,
        "circularity": 4 * np.pi * region.area / perimeter**2,
        "solidity": region.solidity,
        "extent": region.extent,
        "eccentricity": region.eccentricity,
        "major_axis_px": region.axis_major_length,
        "minor_axis_px": region.axis_minor_length,
        "orientation_deg": np.degrees(region.orientation),
        "centroid_row": region.centroid[0],
        "centroid_column": region.centroid[1],
        "holes": 1 - region.euler_number,
        "mean": values.mean(),
        "std": values.std(),
        "minimum": values.min(),
        "maximum": values.max(),
        **dict(
            zip(("percentile_10", "percentile_90"), np.percentile(values, (10, 90)), strict=True)
        ),
        "ring_mean": around.mean(),
        "sharpness": filters.sobel(gray)[inside & ~within].mean() / values.std(),
        "texture": np.abs(ndimage.laplace(gray))[within].mean(),
    }


def check(ours: list[Region], theirs: list[dict[str, float]]) -> None:
    """End the run where what both measure alike differs."""
    areas = sorted(region.measures["area_px"] for region in ours)
    for name in ("area_px", "perimeter_px", "solidity", "eccentricity", "mean", "std", "holes"):
        mine = sorted(region.measures[name] for region in ours)
        other = sorted(row[name] for row in theirs)
        if len(areas) != len(theirs) or not np.allclose(mine, other, rtol=1e-4):
            sys.exit(f"{name} of both differ: {mine} and {other}.")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=500)
    count = parser.parse_args().images
    seconds = against = 0.0
    regions = timed = 0
    for image, mask in scenes(2, seed=1):  # what is loaded on first use is no part of the race
        check(extract(image, mask, SPEC), plain(image, mask))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for number, (image, mask) in enumerate(scenes(count)):
        started = time.perf_counter()
        found = extract(image, mask, SPEC)
        seconds += time.perf_counter() - started
        regions += len(found)
        if number % AGAINST_EVERY == 0:
            started = time.perf_counter()
            rows = plain(image, mask)
            against += time.perf_counter() - started
            timed += len(rows)
            check(found, rows)
    against *= regions / timed
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    result = {
        "regions": regions,
        "images": count,
        "seconds": round(seconds, 2),
        "regions_per_second": round(regions / seconds),
        "peak_memory_mb": round(grown / 1024, 1),
        "against": {
            "name": "skimage.regionprops loop",
            "seconds": round(against, 2),
            "scaled_from_regions": timed,
        },
        "ratio": round(against / seconds, 1),
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
