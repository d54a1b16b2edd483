"""Contact sheet: samples with their masks, and augmented versions of both."""

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from maskwright.data.dataset import DataSet
from maskwright.data.geometry import resize_image, resize_labels
from maskwright.data.pipeline import STRENGTHS, Augmentation, augment
from maskwright.data.to_rgb import as_picture
from maskwright.errors import DataError
from maskwright.imageio import write_image
from maskwright.labels import IGNORE_LABEL, Color, Labels

_SIDE_PX = 176
_GAP_PX = 4
_LINE_PX = 20
_WIDEST_NAME = 40  # characters
_INK, _PAPER, _GRAY = (30, 30, 30), (255, 255, 255), (128, 128, 128)


def contact_sheet(
    dataset: DataSet,
    path: str | Path,
    augmentation: Augmentation = STRENGTHS["medium"],
    seed: int = 0,
    rows: int = 6,
    versions: int = 3,
) -> None:
    """Draw training samples with their masks, each with `versions` augmented ones; gray is ignored.

    What does not line up here is wrong in training too. `DataError` if no sample can be read.
    """
    samples = [sample for sample in dataset.samples if sample.masks]
    samples = [sample for sample in samples if sample.split == "train"] or samples
    rng = np.random.default_rng(seed)
    strips: list[np.ndarray] = []
    failure = "it has no masks"
    for position in rng.permutation(len(samples)):
        if len(strips) == rows:
            break
        try:
            image, mask = dataset.read(samples[position])
        except DataError as error:
            failure = str(error)
            continue
        aspect = min(max(mask.shape[1] / mask.shape[0], 0.5), 2.0)
        size = (round(_SIDE_PX / max(aspect, 1)), round(_SIDE_PX * min(aspect, 1)))
        image, small = resize_image(image, size), resize_labels(mask, size).astype(np.uint8)
        whole = None if image.dtype == np.uint8 else (float(image.min()), float(image.max()))
        shown = [(image, small)]
        for _ in range(versions):
            moved, labels = augment(image, small, augmentation, rng, value_range=whole)
            shown.append((moved.astype(image.dtype), labels))
        strip = np.concatenate([_cells(dataset.labels, *pair) for pair in shown], axis=1)
        title = _text(strip.shape[1], [(4, samples[position].id[:_WIDEST_NAME], None)])
        strips.append(np.concatenate([title, strip]))
    if not strips:
        raise DataError(f"No sample of {dataset.root} can be drawn: {failure}")
    width = max(strip.shape[1] for strip in strips)
    padded = [
        np.pad(strip, ((0, _GAP_PX), (0, width - strip.shape[1]), (0, 0)), constant_values=255)
        for strip in strips
    ]
    write_image(path, np.concatenate([*padded, _legend(dataset.labels, width)]))


def _cells(labels: Labels, image: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """An image, and beside it the image under its mask."""
    picture = as_picture(image)
    covered = labels.overlay(picture, mask)
    ignored = mask == IGNORE_LABEL
    covered[ignored] = covered[ignored] // 3 + np.array(_GRAY, np.uint8) // 3 * 2
    gap = ((0, 0), (0, _GAP_PX), (0, 0))
    return np.concatenate(
        [np.pad(cell, gap, constant_values=255) for cell in (picture, covered)], axis=1
    )


def _legend(labels: Labels, width: int) -> np.ndarray:
    """Names of the classes beside their colors, in as many lines as they need."""
    lines: list[list[tuple[int, str, Color | None]]] = [[]]
    left = 4
    font = ImageFont.load_default(_LINE_PX * 0.65)
    entries = [*zip(labels.names, labels.colors, strict=True), ("ignored", _GRAY)]
    for name, color in entries:
        needed = _LINE_PX + int(font.getlength(name)) + 16
        if left + needed > width and lines[-1]:
            lines.append([])
            left = 4
        lines[-1].append((left, name, color))
        left += needed
    return np.concatenate([_text(width, line) for line in lines])


def _text(width: int, entries: list[tuple[int, str, Color | None]]) -> np.ndarray:
    """One line of words, each at its column and behind a patch of color where it has one."""
    picture = Image.new("RGB", (width, _LINE_PX), _PAPER)
    draw = ImageDraw.Draw(picture)
    font = ImageFont.load_default(_LINE_PX * 0.65)
    for left, text, color in entries:
        if color is not None:
            draw.rectangle((left, 4, left + _LINE_PX - 8, _LINE_PX - 4), fill=color, outline=_INK)
            left += _LINE_PX - 4
        draw.text((left, 2), text, fill=_INK, font=font)
    return np.asarray(picture)
