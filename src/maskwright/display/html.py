"""HTML of tables and small pictures, as notebooks show objects; all text is escaped."""

import base64
import io
from collections.abc import Iterable, Sequence
from html import escape

import cv2
import numpy as np
from PIL import Image

from maskwright.labels import Color

THUMBNAIL_PX = 128
"""Longer side of a thumbnail, which takes at most 24 kB then."""
_COLORS = 128  # of a thumbnail, a byte each pixel


def table(rows: Iterable[Sequence[str]], headings: Sequence[str] = ()) -> str:
    """A table, of which the first cell of each row is its heading; cells are HTML."""
    head = "".join(f"<th>{heading}</th>" for heading in headings)
    head = f"<thead><tr>{head}</tr></thead>" if head else ""
    style = 'style="text-align:left;vertical-align:top"'
    lines = [
        f"<tr><th {style}>{first}</th>" + "".join(f"<td {style}>{each}</td>" for each in rest)
        for first, *rest in rows
    ]
    return f"<table>{head}<tbody>{''.join(lines)}</tbody></table>"


def swatch(name: str, color: Color) -> str:
    """A name, escaped, behind a square in its color."""
    red, green, blue = color
    square = f"background:rgb({red},{green},{blue});display:inline-block;width:.8em;height:.8em"
    return f'<span style="{square}"></span>&nbsp;{escape(name)}'


def listed(heading: str, texts: Sequence[str]) -> str:
    """A list that opens on a click, of texts, which are escaped; empty without any."""
    items = "".join(f"<li>{escape(text)}</li>" for text in texts)
    return f"<details><summary>{escape(heading)}</summary><ul>{items}</ul></details>" * bool(items)


def thumbnail(picture: np.ndarray, title: str, most_px: int = THUMBNAIL_PX) -> str:
    """Picture uint8 RGB `(h, w, 3)` as an image inside the HTML, shrunk to `most_px`."""
    file = io.BytesIO()
    few = Image.fromarray(shrink(picture, most_px)).quantize(_COLORS, dither=Image.Dither.NONE)
    few.save(file, format="PNG", optimize=True)
    data = base64.b64encode(file.getvalue()).decode()
    name = escape(title)
    return f'<img src="data:image/png;base64,{data}" alt="{name}" title="{name}">'


def shrink(picture: np.ndarray, most_px: int) -> np.ndarray:
    """Picture uint8 `(h, w, 3)` whose longer side is `most_px` at most."""
    height, width = picture.shape[:2]
    scale = most_px / max(height, width)
    if scale >= 1:
        return np.ascontiguousarray(picture)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return cv2.resize(np.ascontiguousarray(picture), size, interpolation=cv2.INTER_AREA)
