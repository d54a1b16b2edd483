"""Tables of promises: of those that were made, and of whether they hold on other images."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol

from maskwright.evaluation.reports.parts import Column, Row, Table, TableCell
from maskwright.reliability.promises import (
    PromiseRequest,
    basis_of,
    percent,
    share_of_cases,
)
from maskwright.reliability.record import TrustRecord


class Promised(Protocol):
    """A promise, of masks or of objects."""

    @property
    def request(self) -> PromiseRequest:
        """What was asked for."""


def promised(promise: Promised) -> str:
    """What is to be small, such as `pet, outer: 10 % missed`; `at most` stands above it."""
    mask = "outer" if promise.request.side == "missed" else "inner"
    return f"{promise.request.class_name}, {mask}: {share_promised(promise)}"


def share_promised(promise: Promised) -> str:
    """The share that is to be small and what it is of, such as `10 % missed`."""
    request = promise.request
    return f"{percent(request.level if request.tau is None else request.tau)} {request.side}"


def promise_rows(
    promises: Iterable[tuple[Promised, Sequence[TableCell]]], title_of: Callable[[Any], str]
) -> tuple[Row, ...]:
    """Rows of promises with their further cells: what is small, in which cases, how surely.

    `title_of` is what a promise wants to be small, after `at most`; a terminal shows the class and
    the share.
    """
    return tuple(
        Row(
            title=title_of(promise),
            short=f"{promise.request.class_name}: {share_promised(promise)}",
            cells=(TableCell(reach(promise)), TableCell(confidence(promise)), *cells),
        )
        for promise, cells in promises
    )


def promises_table(rows: tuple[Row, ...], columns: Sequence[Column], note: str) -> Table:
    """Table of `promise_rows`; `columns` are those of their further cells."""
    return Table(
        title="Promises",
        first="At most",
        columns=(Column("Cases", "cases"), Column("Confidence", "sure"), *columns),
        rows=rows,
        note=note,
    )


def reach(promise: Promised) -> str:
    """In which new cases it is small: `average` ones, or `9 of 10`."""
    request = promise.request
    if request.tau is None:
        return "average"
    return share_of_cases(1 - request.level).removesuffix(" of")


def confidence(promise: Promised) -> str:
    """Confidence of a promise; a dash for one that holds on average over calibration cases."""
    delta = promise.request.delta
    return "-" if delta is None else percent(1 - delta)


def promise_table(record: TrustRecord) -> Table:
    """The promises that were made, what they rest on, and what they cost."""
    made = [
        (
            promise,
            (
                TableCell(f"{known.n}"),
                TableCell("none" if promise.is_empty else f"{promise.threshold:.3g}"),
                TableCell(f"{area:.2f}", style="" if is_useful else "wrong"),
            ),
        )
        for known in record.classes.values()
        for promise, area, is_useful in zip(
            known.promises, known.areas, known.are_useful, strict=True
        )
    ]
    return promises_table(
        promise_rows(made, promised),
        (Column("From", "from"), Column("Threshold", "threshold"), Column("Area", "area")),
        f"{promise_basis(record)} Masks are the pixels from the threshold of their probability on; "
        f"area is theirs by the true one, on average.",
    )


def promise_basis(record: TrustRecord) -> str:
    """What promises rest on, and how far they reach."""
    return basis_of(record.cases, record.split, record.is_approximate)
