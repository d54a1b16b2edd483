"""The page that evaluations are read on: one file that loads nothing from elsewhere.

Text that is given is escaped here; what is called content is HTML made here.
"""

import base64
import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from importlib import resources
from pathlib import Path
from string import Template
from typing import Any

import numpy as np
from PIL import Image

from maskwright.evaluation.reports.charts import Points, lines, style
from maskwright.evaluation.reports.formatting import number, span
from maskwright.imageio import atomic_write
from maskwright.labels import Color

_DENSE_FROM = 6  # classes from which the squares of a confusion matrix are made small
_DARK_SHARE = 0.55  # of a square, from which its number is written in the color of the page
_ROW_OF_PANELS = 4  # columns of a figure that has not more panels
_MOST_PANELS = 6  # columns of any figure


def write_page(
    path: Path,
    *,
    overline: str,
    heading: str,
    summary: str,
    warnings: Iterable[str],
    cards: str,
    body: str,
    skipped: str,
    settings: Mapping[str, Any],
    run: Path | None,
    date: str,
) -> Path:
    """Write a page and return its path.

    Args:
        path: HTML file.
        overline: Above the heading, what kind of page it is.
        heading: Title.
        summary: One sentence below it.
        warnings: Sentences, each in a box of its own.
        cards: Content, of `card`.
        body: Content, of `section`, `pair` and `curves`.
        skipped: Content, of `skipped`.
        settings: What a reader needs to measure the same again, by name.
        run: Folder of the run, whose `plan.yaml` is shown where it is there.
        date: Of the evaluation.
    """
    template = resources.files(__package__).joinpath("page.html").read_text(encoding="utf-8")
    text = Template(template).substitute(
        charts=style(),
        overline=escape(overline),
        heading=escape(heading),
        summary=escape(summary),
        warnings="".join(f'<p class="warning">{escape(text)}</p>' for text in warnings),
        cards=cards,
        body=body,
        skipped=skipped,
        settings="".join(
            f"<dt>{escape(name)}</dt><dd>{escape(str(value))}</dd>"
            for name, value in settings.items()
        ),
        training=_training(run),
        footer=escape(f"Written by Maskwright on {date}."),
    )
    with atomic_write(path) as beside:
        beside.write_text(text, encoding="utf-8")
    return path


def card(
    title: str, value: float | np.ndarray, ends: np.ndarray, aside: tuple[str, str, str] | None
) -> str:
    """A score in large type, its interval, and beside it a second one: name, score, interval."""
    interval = f"95&nbsp;% {span(ends)}" if span(ends) else "&nbsp;"
    below = ""
    if aside is not None:
        name, second, second_ends = map(escape, aside)
        below = (
            f'<div class="aside muted">{name} <b>{second}</b>'
            f"{f' ({second_ends})' if second_ends else ''}</div>"
        )
    return (
        f'<div class="card"><div class="muted">{escape(title)}</div>'
        f'<div class="value">{number(value)}</div>'
        f'<div class="interval muted">{interval}</div>{below}</div>'
    )


def section(heading: str, content: str, note: str = "") -> str:
    """A box with a heading, a note in small type and content."""
    below = f'<p class="muted">{escape(note)}</p>' if note else ""
    return f"<section><h2>{escape(heading)}</h2>{below}{content}</section>"


def pair(*sections: str) -> str:
    """Sections side by side where the window is wide enough."""
    return f'<div class="pair">{"".join(sections)}</div>'


def scrolled(content: str, tall: bool = False) -> str:
    """Content that scrolls by itself where it is too wide or, if `tall`, too long."""
    return f'<div class="scroll{" tall" if tall else ""}">{content}</div>'


def table(headings: Iterable[str], rows: Iterable[str]) -> str:
    """Table of rows that are content, `<tr>…</tr>` each."""
    head = "".join(f"<th>{escape(text)}</th>" for text in headings)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table>"


def score(value: str, ends: str) -> str:
    """Cell with a score and its interval below, both as they are printed."""
    below = f'<span class="interval">{ends}</span>' if ends else ""
    return f"<td>{value}{below}</td>"


def gauge(value: float | np.ndarray, ends: np.ndarray) -> str:
    """Bar from 0 to 1 with a whisker for the interval."""
    if np.isnan(value):
        return ""
    whisker = ""
    if not np.isnan(ends).any():
        low, high = (f"{100 * end:.1f}%" for end in ends)
        whisker = f'<line class="whisker" x1="{low}" x2="{high}" y1="7" y2="7"/>' + "".join(
            f'<line class="whisker" x1="{end}" x2="{end}" y1="4" y2="10"/>' for end in (low, high)
        )
    return (
        '<svg aria-hidden="true"><rect class="track" y="3" width="100%" height="8" rx="4"/>'
        f'<rect class="fill" y="3" width="{100 * float(value):.1f}%" height="8" rx="4"/>'
        f"{whisker}</svg>"
    )


def matrix(
    counts: np.ndarray,
    names: Sequence[str],
    counted: str,
    columns: str = "predicted",
    told: bool = False,
) -> str:
    """Confusion matrix as a table of colored squares, each a share of its row.

    Args:
        counts: True classes in rows, `(classes, classes)`.
        names: Of the classes.
        counted: What was counted, in the plural.
        columns: What the columns are.
        told: Whether counts stand below the shares.
    """
    rows = []
    for label, name in enumerate(names):
        size = counts[label].sum()
        cells = []
        for other, count in enumerate(counts[label]):
            share = count / max(size, 1)
            kind = ' class="full"' if share > _DARK_SHARE else ""
            kind = kind if count else ' class="none"'
            title = f"{name} taken for {names[other]}: {count:,} {counted}"
            below = f'<span class="interval">{count:,}</span>' if told else ""
            shown = f"{share:.1%}" if len(names) < _DENSE_FROM else f"{100 * share:.0f}"
            cells.append(
                f'<td{kind} style="--share:{share:.3f}" title="{escape(title)}">'
                f"{shown if size else '-'}{below}</td>"
            )
        rows.append(f"<tr><th>{escape(name)}</th>{''.join(cells)}</tr>")
    head = "".join(f"<th>{escape(name)}</th>" for name in names)
    dense = " matrix-dense" if len(names) >= _DENSE_FROM else ""
    corner = f"true \\ {columns}" + (", %" if dense else "")
    return (
        f'<table class="matrix{dense}"><thead><tr><td class="corner">{corner}</td>{head}</tr>'
        f"</thead><tbody>{''.join(rows)}</tbody></table>"
    )


def curves(run: Path | None, titles: Mapping[str, str]) -> str:
    """Section of loss and scores by epoch from the history of a run; empty where there is none.

    Args:
        run: Folder of the run.
        titles: Of the columns of `history.csv` that are shown.
    """
    history = None if run is None else run / "history.csv"
    if history is None or not history.is_file():
        return ""
    with history.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))

    def points(name: str) -> Points:
        return [(float(row["epoch"]), float(row[name])) for row in rows if row.get(name)]

    charts = []
    for name, title in titles.items():
        series = {"training": points(name), "validation": points(f"val_{name}")}
        if drawn := lines(series, "epoch", title):
            charts.append(f'<div><p class="small muted">{title}</p>{drawn}</div>')
    return section("Training", f'<div class="curves">{"".join(charts)}</div>') if charts else ""


def legend(entries: Iterable[tuple[Color, str]]) -> str:
    """What colors stand for."""
    shown = "".join(f"<span>{swatch(color)}{escape(name)}</span>" for color, name in entries)
    return f'<div class="legend">{shown}</div>'


def swatch(color: Color) -> str:
    """Small square of a color."""
    return f'<span class="swatch" style="background:rgb{color}"></span>'


def figure(title: str, text: str, panels: Sequence[tuple[str, np.ndarray]]) -> str:
    """Pictures uint8 RGB `(h, w, 3)` side by side, each with its caption."""
    shown = "".join(
        f'<div><img src="{_inline(panel)}" alt="{escape(caption)}">'
        f"<span>{escape(caption)}</span></div>"
        for caption, panel in panels
    )
    columns = min(len(panels), _MOST_PANELS)
    style = f' style="--columns:{columns}"' if columns > _ROW_OF_PANELS else ""
    return (
        f'<figure><figcaption><b>{escape(title)}</b><span class="muted">{escape(text)}</span>'
        f'</figcaption><div class="panels"{style}>{shown}</div></figure>'
    )


def grouped(figures: Iterable[tuple[str, str]]) -> str:
    """Figures under the headings that they come with; neighbors of one heading share it."""
    parts, last = [], ""
    for heading, content in figures:
        if heading != last:
            parts.append(f"<h3>{escape(capital(heading))}</h3>")
        parts.append(content)
        last = heading
    return "".join(parts)


def skipped(reasons: Sequence[str], note: str) -> str:
    """Section of the sentences on what was not scored; empty where all was."""
    if not reasons:
        return ""
    items = "".join(f"<li>{escape(reason)}</li>" for reason in reasons)
    return section("Not scored", f"<ul>{items}</ul>", note)


def embedded(path: Path, alt: str) -> str:
    """A PNG as wide as the page, in the page."""
    encoded = base64.b64encode(path.read_bytes()).decode()
    return f'<img width="100%" src="data:image/png;base64,{encoded}" alt="{escape(alt)}">'


def capital(text: str) -> str:
    """Text whose first letter is a capital."""
    return text[:1].upper() + text[1:]


def _training(run: Path | None) -> str:
    """Settings of the run as they were written, folded away."""
    plan = None if run is None else run / "plan.yaml"
    if plan is None or not plan.is_file():
        return ""
    text = escape(plan.read_text(encoding="utf-8"))
    return f"<details><summary>Settings of the training</summary><pre>{text}</pre></details>"


def _inline(picture: np.ndarray) -> str:
    """Picture as an address that holds it."""
    encoded = io.BytesIO()
    Image.fromarray(picture).save(encoded, format="WEBP", quality=88)
    return f"data:image/webp;base64,{base64.b64encode(encoded.getvalue()).decode()}"
