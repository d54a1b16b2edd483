"""Models and images as the page knows them, in JSON."""

from dataclasses import asdict
from typing import Any

from maskwright.serving.jobs.probability_grid import LEVELS
from maskwright.serving.store.tile_pyramid import TILE
from maskwright.serving.store.upload import Upload
from maskwright.tasks.serving import MaskSettings, ServedModel


def describe_model(served: ServedModel, keeps: bool) -> dict[str, Any]:
    """A model, with all that the page needs to show masks and to decide as the model does.

    Args:
        keeps: Whether the server stores images for training.
    """
    segmenter, classifier = served.segmenter, served.classifier
    classes: list[dict[str, Any]] = []
    background = None
    if segmenter is not None:
        card = segmenter.predictor.card
        colors = card.labels.to_dict()["colors"]
        classes = [
            {"label": label, "name": name, "color": colors[label].lower()}
            for label, name in enumerate(card.labels.names)
        ]
        background = card.background
    return {
        "name": served.name,
        "task": served.task,
        "classes": classes,
        "background": background,
        **asdict(MaskSettings() if segmenter is None else segmenter.settings),
        "names": None if classifier is None else classifier.names,
        "decision_threshold": None if classifier is None else classifier.threshold,
        "needs_masks": segmenter is None,
        "keep": keeps and segmenter is not None,
    }


def describe_image(upload: Upload) -> dict[str, Any]:
    """Status of an image, and what the model predicted for it."""
    grid, decided = upload.grid, upload.result.decisions
    planes = ["labels", "probabilities"]
    if upload.served.segmenter is not None and upload.served.segmenter.has_objects:
        planes.append("objects")
    return {
        "id": upload.id,
        "name": upload.name,
        "model": upload.served.name,
        "status": upload.status,
        "progress": round(upload.progress, 3),
        "reason": upload.reason,
        "width": upload.size[1],
        "height": upload.size[0],
        "tile": TILE,
        "grid": {"width": grid.width, "height": grid.height, "scale": grid.scale},
        "levels": LEVELS,
        "planes": planes,
        "changed": upload.corrected,
        "regions": None if decided is None else decided.regions,
        "decisions": None if decided is None else decided.decisions,
    }
