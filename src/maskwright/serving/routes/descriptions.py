"""What the page is told of models and images, as JSON holds it."""

from dataclasses import asdict
from typing import Any

from maskwright.model_card import postprocessing_of
from maskwright.serving.jobs.probability_grid import LEVELS
from maskwright.serving.store.edited_mask import EditedMask
from maskwright.serving.store.tile_pyramid import TILE
from maskwright.serving.store.upload import Upload
from maskwright.tasks.serving import MaskLayer, ServedModel


def describe_model(served: ServedModel, keeps: bool) -> dict[str, Any]:
    """A model, with all that the page needs to show masks and to decide as the model does."""
    segmenter, classifier = served.segmenter, served.classifier
    return {
        "name": served.name,
        "task": served.task,
        "layers": [] if segmenter is None else list(map(_describe_layer, segmenter.layers)),
        "names": None if classifier is None else classifier.card.names,
        "decision_threshold": None if classifier is None else classifier.card.threshold,
        "needs_masks": segmenter is None,
        "keep": keeps and segmenter is not None,
        "promises": served.promises,
    }


def _describe_layer(layer: MaskLayer) -> dict[str, Any]:
    colors = layer.labels.to_dict()["colors"]
    return {
        "name": layer.name,
        "classes": [
            {"label": label, "name": layer.labels.names[label], "color": color.lower()}
            for label, color in enumerate(colors)
        ],
        "background": layer.background,
        **asdict(layer.settings),
    }


def describe_image(upload: Upload) -> dict[str, Any]:
    """Status of an image, and what the model predicted for it."""
    grid, decided = upload.grid, upload.decisions
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
        "warnings": upload.warnings,
        "width": upload.size[1],
        "height": upload.size[0],
        "tile": TILE,
        "grid": {"width": grid.width, "height": grid.height, "scale": grid.scale},
        "levels": LEVELS,
        "planes": planes,
        "trust": _describe_trust(upload),
        "layers": list(map(_describe_mask, upload.masks)),
        "regions": None if decided is None else decided.regions,
        "decisions": None if decided is None else decided.decisions,
        "answers": None if decided is None else decided.promises,
        "decided": decided is not None and upload.decided_version == upload.mask.version,
    }


def _describe_trust(upload: Upload) -> dict[str, Any] | None:
    """What promises say of an image: sentences, and a doubt from 0 to 2, above 1 if it is unlike
    the training images; and the classes of the planes of `bounds`. `None` without promises.
    """
    known = upload.assessed
    if known is None:
        return None
    doubt = None if known.doubt is None else round(known.doubt, 4)
    return {"sentences": known.sentences, "doubt": doubt, "bounds": known.bounded}


def _describe_mask(mask: EditedMask) -> dict[str, Any]:
    return {
        "name": mask.layer.name,
        "version": mask.version,
        "settings": {**postprocessing_of(mask.settings), "threshold": mask.settings.threshold},
        "changed": mask.changed,
        "strokes": mask.has_strokes,
        "saved": mask.exported == mask.version,
    }
