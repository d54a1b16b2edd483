"""Routes of the masks that an audit of labels doubts, for the page to correct them."""

from collections.abc import Iterator
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import NonNegativeInt
from starlette.exceptions import HTTPException

from maskwright.serving.jobs.job_queue import JobQueue
from maskwright.serving.jobs.model_registry import ModelRegistry
from maskwright.serving.routes.descriptions import describe_image
from maskwright.serving.routes.requests import choose_model
from maskwright.serving.store.image_store import ImageStore
from maskwright.serving.store.label_findings import LabelFindings


def audit_routes(
    findings: LabelFindings | None, models: ModelRegistry, queue: JobQueue, images: ImageStore
) -> APIRouter:
    """`/api/audit`: files are those that the audit lists, by their number in it alone."""
    routes = APIRouter(prefix="/api/audit")
    items = () if findings is None else findings.items
    listed = [] if findings is None else list(_described(findings))

    @routes.get("")
    async def list_findings() -> list[dict[str, Any]]:
        """Masks that the audit of this server doubts, in the order in which to look at them."""
        return listed

    @routes.post("/{number}", status_code=202)
    async def load(
        number: NonNegativeInt, model: Annotated[str | None, Query(max_length=100)] = None
    ) -> dict[str, Any]:
        """Store the image of a finding for a model, with the mask of the data set as strokes."""
        if findings is None or number >= len(items):
            raise HTTPException(404, f"The audit of this server has {len(items)} findings.")
        served = choose_model(models, model)
        return describe_image(await queue.run(findings.load, number, served, images))

    return routes


def _described(findings: LabelFindings) -> Iterator[dict[str, Any]]:
    """Findings; `box` is left, top, width and height, in pixels of the image."""
    for number, finding in enumerate(findings.items):
        top, left, bottom, right = finding.piece.box
        yield {
            "number": number,
            "image": finding.sample.id,
            "split": finding.split,
            "score": finding.score,
            "layer": findings.layer_of(finding),
            **finding.piece.model_dump(exclude={"box"}),
            "box": [left, top, right - left, bottom - top],
        }
