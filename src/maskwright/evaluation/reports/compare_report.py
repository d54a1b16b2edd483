"""A comparison as a table to read, as JSON and CSV, and as a page with pictures."""

from html import escape
from pathlib import Path
from typing import Any

import numpy as np
from rich.box import SIMPLE_HEAD
from rich.markup import escape as escape_markup
from rich.table import Table

from maskwright.evaluation.compare import Comparison, Differing
from maskwright.evaluation.evaluate import MEANS
from maskwright.evaluation.reports import html_report as page
from maskwright.evaluation.reports.drawing import (
    FALSE_NEGATIVE,
    FALSE_POSITIVE,
    WRONG_CLASS,
    draw_errors,
)
from maskwright.evaluation.reports.formatting import (
    cell,
    change,
    number,
    plain,
    span,
    write_json,
    write_rows,
)
from maskwright.evaluation.results import MEAN_NAMES
from maskwright.metrics import EMPTY_RULE, NO_DIFFERENCE, tally_scores, verdict

_DRAWS = "The same cases were drawn for both"


def to_dict(comparison: Comparison) -> dict[str, Any]:
    """Plain values as `comparison.json` holds them; a score that is not defined is `None`."""
    names = comparison.labels.names
    return {
        "a": comparison.names[0],
        "b": comparison.names[1],
        **{name: _entry(comparison, name) for name in MEANS},
        "per_class": {
            label_name: {kind: _entry(comparison, kind, label) for kind in ("iou", "dice")}
            for label, label_name in enumerate(names)
        },
        "level": comparison.paired.level,
        "draws": comparison.draws,
        "seed": comparison.seed,
        "split": comparison.split,
        "images": len(comparison.samples),
        "cases": comparison.paired.num_cases,
        "scored_at": comparison.scored_at,
        "flips": comparison.flips,
        "skipped": [
            {"id": skip.sample.id, "image": str(skip.sample.image), "reason": skip.reason}
            for skip in comparison.skipped
        ],
        "warnings": list(comparison.warnings),
        "empty_rule": EMPTY_RULE,
        "data": str(comparison.data),
        "model_sha256": [card.model_sha256 for card in comparison.cards],
        "date": comparison.date,
    }


def table(comparison: Comparison) -> Table:
    """Scores of both, differences with 95 % intervals, and verdicts, for the terminal."""
    shown = Table(
        title=escape_markup(f"{comparison.split}: {summary(comparison)}"),
        box=SIMPLE_HEAD,
        caption=escape_markup("\n".join([*_who(comparison), *comparison.warnings])),
        caption_justify="left",
    )
    shown.add_column("score", min_width=14)
    for heading in ("A", "B", "A - B", "95 %"):
        shown.add_column(heading, justify="right", no_wrap=True)
    shown.add_column("verdict", no_wrap=True)
    for title, values in _rows(comparison):
        shown.add_row(escape_markup(title), *values)
    return shown


def summary(comparison: Comparison) -> str:
    """What was compared, such as `101 images of 40 cases, at the size of the originals`."""
    at = "the size of the originals" if comparison.scored_at == "original" else "the working size"
    flips = ", flips averaged" if comparison.flips else ""
    number_of = f"{len(comparison.samples)} images of {comparison.paired.num_cases} cases"
    return f"{number_of}, at {at}{flips}"


def write(comparison: Comparison, folder: str | Path) -> Path:
    """Write `comparison.json`, `images.csv` and `report.html`; gives the page.

    Args:
        comparison: What to write.
        folder: Where; made where it is missing.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    write_json(to_dict(comparison), folder / "comparison.json")
    write_images(comparison, folder / "images.csv")
    headings = ("Score", "A", "B", "A - B", "95\N{NO-BREAK SPACE}%", "Verdict")
    note = (
        f"All pixels of the split taken together. {_DRAWS}, so that an interval is that of the "
        f"difference; where it holds 0, there is {NO_DIFFERENCE}. {EMPTY_RULE}"
    )
    rows = [
        f"<tr><th>{escape(title)}</th>{''.join(f'<td>{escape(v)}</td>' for v in values)}</tr>"
        for title, values in _rows(comparison)
    ]
    return page.write_page(
        folder / "report.html",
        overline="Maskwright comparison",
        heading=f"{Path(comparison.names[0]).name} and {Path(comparison.names[1]).name} on "
        f"{comparison.data.name}, {comparison.split} split",
        summary=f"{summary(comparison)}. {' '.join(_who(comparison))}",
        warnings=comparison.warnings,
        cards="",
        body=page.section("Scores", page.scrolled(page.table(headings, rows)), note)
        + _pictures(comparison),
        skipped=page.skipped(
            [skip.reason for skip in comparison.skipped],
            f"{len(comparison.skipped)} images could not be scored with both.",
        ),
        settings={
            "A": f"{comparison.names[0]}, SHA-256 {comparison.cards[0].model_sha256[:16]}",
            "B": f"{comparison.names[1]}, SHA-256 {comparison.cards[1].model_sha256[:16]}",
            "Data": comparison.data,
            "Split": comparison.split,
            "Intervals": f"paired bootstrap over cases, expanded, {comparison.draws} draws, "
            f"seed {comparison.seed}",
        },
        run=None,
        date=comparison.date,
    )


def write_images(comparison: Comparison, path: Path) -> None:
    """Write one line for each image as CSV: scores of both and their difference in Dice."""
    scores = tally_scores(comparison.tallies)
    columns = [f"{name} {side}" for name in MEANS for side in "ab"]
    rows = []
    for place, sample in enumerate(comparison.samples):
        values = [cell(getattr(scores, name)[place, side]) for name in MEANS for side in (0, 1)]
        gain = cell(comparison.gains[place])
        rows.append([sample.id, sample.case, sample.image, *values, gain])
    write_rows(["id", "case", "image", *columns, "mean_dice a - b"], rows, path)


def _entry(comparison: Comparison, name: str, label: int | None = None) -> dict[str, Any]:
    """One score of both models, their difference, its interval and the verdict."""
    a, b, gain, ends = _values(comparison, name, label)
    return {
        "a": plain(a),
        "b": plain(b),
        "difference": plain(gain),
        "interval": plain(ends),
        "verdict": verdict(ends),
    }


def _rows(comparison: Comparison) -> list[tuple[str, list[str]]]:
    """Titles, and both scores, difference, interval and verdict as they are printed."""
    wanted: list[tuple[str, str, int | None]] = [
        (page.capital(MEAN_NAMES[name]), name, None) for name in MEANS
    ]
    wanted += [(f"IoU {name}", "iou", n) for n, name in enumerate(comparison.labels.names)]
    rows = []
    for title, name, label in wanted:
        a, b, gain, ends = _values(comparison, name, label)
        told = [number(a), number(b), change(gain), span(ends, signed=True), verdict(ends)]
        rows.append((title, told))
    return rows


def _values(comparison: Comparison, name: str, label: int | None) -> list[np.ndarray]:
    paired = comparison.paired
    found = [getattr(scores, name) for scores in (paired.a, paired.b, paired.gain, paired.ends)]
    return found if label is None else [values[..., label] for values in found]


def _who(comparison: Comparison) -> list[str]:
    ahead, behind = (int((sign * comparison.gains > 0).sum()) for sign in (1, -1))
    return [
        f"A is {comparison.names[0]}, B is {comparison.names[1]}.",
        f"A has the higher Dice in {ahead} images, B in {behind}.",
    ]


def _pictures(comparison: Comparison) -> str:
    """The images on which one model is furthest ahead, with the errors of both."""
    labels = comparison.labels
    ahead = {True: "A is ahead", False: "B is ahead"}
    figures = page.grouped(
        (ahead[bool(comparison.gains[one.index] > 0)], _figure(comparison, one))
        for one in comparison.differing
    )
    colors = [
        (FALSE_POSITIVE, "false positive"),
        (FALSE_NEGATIVE, "false negative"),
        (WRONG_CLASS, "another class"),
    ]
    return page.section(
        "Where they differ most",
        page.legend(zip(labels.colors, labels.names, strict=True))
        + page.legend(colors)
        + (figures or '<p class="muted">They differ in no image.</p>'),
        "Images ordered by the difference of their mean Dice.",
    )


def _figure(comparison: Comparison, one: Differing) -> str:
    sample = comparison.samples[one.index]
    dice = tally_scores(comparison.tallies[one.index]).mean_dice
    told = f"Dice of A {number(dice[0])} · of B {number(dice[1])}"
    background = comparison.cards[0].background
    panels = [("Image", one.picture), ("Truth", comparison.labels.overlay(one.picture, one.truth))]
    panels += [
        (f"Errors of {name}", draw_errors(one.picture, one.truth, guess, background))
        for name, guess in zip("AB", one.guesses, strict=True)
    ]
    return page.figure(sample.id, told, panels)
