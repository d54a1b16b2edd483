"""What is shown of promises about single objects, and of whether they hold."""

from typing import Any

import numpy as np

from maskwright.evaluation.reports.formatting import plain
from maskwright.evaluation.reports.kept_promises import check_table
from maskwright.evaluation.reports.parts import Column, Table, TableCell
from maskwright.evaluation.reports.promises import promise_rows, promises_table
from maskwright.reliability.promises import percent
from maskwright.tasks.instances.trust.object_promises import ObjectPromise, ObjectTrust
from maskwright.tasks.instances.trust.verify import ObjectTrustCheck


def object_promise_table(record: ObjectTrust) -> Table:
    """The promises that were made, what they rest on, and what they cost."""
    made = [
        (
            promise,
            (
                TableCell(f"{promise.n}"),
                TableCell("none" if promise.score is None else f"{promise.score:.3g}"),
                TableCell(_percent(promise.other)),
            ),
        )
        for promise in record.promises
    ]
    return promises_table(
        promise_rows(made, _promised),
        (Column("From", "from"), Column("Score from", "score"), Column("Cost", "cost")),
        f"{record.basis} Objects count from the score on; cost is the share of them that is false, "
        f"where few are missed, and the share of the true ones missed, where few are false.",
    )


def kept_objects_table(check: ObjectTrustCheck) -> Table:
    """Each promise, what came of it, and the verdict."""
    return check_table(check.promises, _promised, check.record.basis)


def kept_objects_scores(check: ObjectTrustCheck) -> dict[str, Any]:
    """Plain values for scores.json."""
    return {
        "calibrated_on": {"data": check.record.data, "split": check.record.split},
        "promises": [
            {
                **vars(each.promise.request),
                "score": each.promise.score,
                "sentence": each.promise.sentence,
                "cases": each.n,
                "realized": plain(each.realized),
                "interval": plain(each.ends),
                "verdict": each.verdict,
            }
            for each in check.promises
        ],
    }


def _promised(promise: ObjectPromise) -> str:
    """What is to be small, such as `10 % of nucleus missed`; `at most` stands above it."""
    request = promise.request
    share = percent(request.level if request.tau is None else request.tau)
    return f"{share} of {request.class_name} {request.side}"


def _percent(share: float) -> str:
    return "-" if np.isnan(share) else percent(round(float(share), 3))
