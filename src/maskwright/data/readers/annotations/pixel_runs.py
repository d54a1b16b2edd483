"""Run lengths as masks, and the order of their pixels."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from maskwright.data.geometry import outline_px
from maskwright.data.readers.annotations.base import AnnotatedImage, AnnotatedObject
from maskwright.data.samples import Doubt
from maskwright.errors import DataError
from maskwright.imageio import read_header, read_image

_COMPARED = 20  # masks of which both orders of pixels are compared
_CLEARLY = 0.8  # ratio of the lengths of outlines
_FOLLOWS = 1.2  # ratio of the contrast along outlines


@dataclass(frozen=True)
class PixelRuns:
    """Pairs of first pixel, from 1, and length, in columns or in rows."""

    text: str
    order: str = "columns"

    def __call__(self, size: tuple[int, int]) -> np.ndarray:
        """Mask of the runs."""
        try:
            numbers = np.array(self.text.split(), np.int64).reshape(-1, 2)
        except (ValueError, OverflowError):
            raise DataError(
                f"expected pairs of first pixel and length, received {self.text[:60]}"
            ) from None
        area = size[0] * size[1]
        starts, lengths = numbers.T
        if lengths.min(initial=1) < 0 or lengths.max(initial=0) > area:
            raise DataError(f"expected lengths up to {area:,}, received {self.text[:60]}")
        ends = starts - 1 + lengths
        if starts.min(initial=1) < 1 or starts.max(initial=0) > area or ends.max(initial=0) > area:
            raise DataError(
                f"expected pixels from 1 to {area:,} for {size[0]} x {size[1]}, received runs from "
                f"{starts.min():,} to {ends.max():,}"
            )
        if (starts[1:] < ends[:-1] + 1).any():
            raise DataError(
                "expected runs in the order of their pixels, each beginning behind the one before; "
                "lengths relative to it are not read"
            )
        flat = np.zeros(area + 1, np.int8)
        np.add.at(flat, starts - 1, 1)
        np.add.at(flat, ends, -1)
        inside = flat[:-1].cumsum(dtype=np.int8).astype(bool)
        return inside.reshape(size[::-1]).T if self.order == "columns" else inside.reshape(size)


def in_order(each: AnnotatedObject, order: str) -> AnnotatedObject:
    """The object with its runs, if it has any, in an order of pixels: `columns` or `rows`."""
    shape = each.shape
    return replace(
        each, shape=replace(shape, order=order) if isinstance(shape, PixelRuns) else shape
    )


def check_order(images: Sequence[AnnotatedImage]) -> list[Doubt]:
    """Doubt about the order of pixels in square images, where outlines do not tell it.

    `DataError` where masks have far shorter outlines if the runs are taken for rows.
    """
    columns = rows = 0
    square: list[tuple[Path, np.ndarray]] = []
    compared = [image for image in images if image.objects][:_COMPARED]
    for image in compared:
        header = read_header(image.image)
        size = (header.height, header.width)
        try:
            masks = [each.shape(size) for each in image.objects[:_COMPARED]]
            in_rows = [in_order(e, "rows").shape(size) for e in image.objects[:_COMPARED]]
        except DataError:  # told where it is drawn
            continue
        columns += sum(map(outline_px, masks))
        rows += sum(map(outline_px, in_rows))
        if header.height == header.width:
            square.append((image.image, np.any(masks, axis=0)))
    if rows < _CLEARLY * columns:
        raise DataError(
            f"The run lengths make whole shapes if they are taken row by row, and torn ones column "
            f"by column (outlines of {rows:,} and {columns:,} pixels); write `run_order: rows`, or "
            f"`run_order: columns`, into data.yaml."
        )
    return _doubt_square(square) if square and len(square) == len(compared) else []


def _doubt_square(images: Sequence[tuple[Path, np.ndarray]]) -> list[Doubt]:
    """Doubt unless outlines of masks, taken by columns, follow edges of their square images."""
    columns = rows = 0.0
    for path, mask in images:
        try:
            gray = read_image(path).mean(axis=2, dtype=np.float64)
        except DataError:  # told where it is read
            continue
        columns += _contrast(gray, mask)
        rows += _contrast(gray, mask.T)
    turned = any((mask != mask.T).any() for _, mask in images)
    if not turned or columns > _FOLLOWS * rows:
        return []
    return [
        Doubt(
            "run_order",
            f"The images are square, so that run lengths fit column by column, as Kaggle's are, "
            f"and row by row; edges of the images lie where outlines are {columns:.3g} by columns "
            f"and {rows:.3g} by rows (mean step of gray, summed over {len(images)} images).",
            "Write `run_order: columns` or `run_order: rows` into data.yaml.",
        )
    ]


def _contrast(gray: np.ndarray, mask: np.ndarray) -> float:
    """Mean difference of neighbors across the outline of a mask, over that of all neighbors."""
    steps = [np.abs(np.diff(gray, axis=axis)) for axis in (0, 1)]
    across = [np.diff(mask, axis=axis) for axis in (0, 1)]
    outline = np.concatenate([step[at] for step, at in zip(steps, across, strict=True)])
    usual = np.mean([step.mean() for step in steps])
    return float(outline.mean() / usual) if outline.size and usual else 0.0
