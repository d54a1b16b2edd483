"""Tables of promises: of those that were made, and of whether they hold on other images."""

from typing import Protocol

from maskwright.evaluation.reports.parts import Column, Row, Table, TableCell
from maskwright.reliability.promises import (
    Promise,
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


def promised(promise: Promise) -> str:
    """What is to be small, such as `pet, outer: 10 % missed`; `at most` stands above it."""
    request = promise.request
    share = percent(request.level if request.tau is None else request.tau)
    mask, fault = ("outer", "missed") if request.side == "missed" else ("inner", "false")
    return f"{request.class_name}, {mask}: {share} {fault}"


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
    rows = [
        Row(
            title=promised(promise),
            cells=(
                TableCell(reach(promise)),
                TableCell(confidence(promise)),
                TableCell(f"{known.n}"),
                TableCell("none" if promise.is_empty else f"{promise.threshold:.3g}"),
                TableCell(f"{area:.2f}"),
            ),
        )
        for known in record.classes.values()
        for promise, area in zip(known.promises, known.areas, strict=True)
    ]
    return Table(
        title="Promises",
        first="At most",
        columns=(
            Column("Cases", "cases"),
            Column("Confidence", "sure"),
            Column("From", "from"),
            Column("Threshold", "threshold"),
            Column("Area", "area"),
        ),
        rows=tuple(rows),
        note=f"{promise_basis(record)} Masks are the pixels from the threshold of their "
        f"probability on; area is theirs by the true one, on average.",
    )


def promise_basis(record: TrustRecord) -> str:
    """What promises rest on, and how far they reach."""
    return basis_of(record.cases, record.split, record.is_approximate)
