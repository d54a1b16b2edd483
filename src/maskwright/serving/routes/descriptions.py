"""What the page is told of models and images, as JSON holds it."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from maskwright.model_card import postprocessing_of
from maskwright.reliability.assessment import UNLIKE
from maskwright.reliability.familiarity import FLAGGED
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
        "trust": None if upload.assessed is None else _describe_trust(upload),
        "layers": list(map(_describe_mask, upload.masks)),
        "regions": None if decided is None else decided.regions,
        "decisions": None if decided is None else decided.decisions,
        "decided": decided is not None and upload.decided_version == upload.mask.version,
    }


def _describe_trust(upload: Upload) -> dict[str, Any]:
    """What promises say of an image: sentences, and a doubt from 0 to 2, above 1 if it is unlike
    the training images; and the classes of the planes of `bounds`.
    """
    masks = upload.assessed or []
    sentences = [sentence for sentence in map(_dice_sentence, masks) if sentence is not None]
    known = [m["expected_dice"] if m["lower_bound"] is None else m["lower_bound"] for m in masks]
    doubt = 1 - min((dice for dice in known if dice is not None), default=1.0)
    p_value = masks[0]["unfamiliar_p"] if masks else None
    if p_value is not None and p_value <= FLAGGED:
        sentences.insert(0, f"This image is {UNLIKE} (p = {p_value:.2g}).")
        doubt = 2 - p_value
    return {"sentences": sentences, "doubt": round(doubt, 4), "bounds": upload.bounded}


def _dice_sentence(mask: Mapping[str, Any]) -> str | None:
    """Expected Dice of a mask in words; `None` where there is no mask."""
    expected, bound = mask["expected_dice"], mask["lower_bound"]
    if expected is None:
        return None
    least = "" if bound is None else f", at least {bound:.2f} in {mask['bound_holds_in']} images"
    decision = "" if mask["decision"] is None else f": {mask['decision']}"
    return f"{mask['class_name']}: Dice about {expected:.2f}{least}{decision}"


def _describe_mask(mask: EditedMask) -> dict[str, Any]:
    return {
        "name": mask.layer.name,
        "version": mask.version,
        "settings": {**postprocessing_of(mask.settings), "threshold": mask.settings.threshold},
        "changed": mask.changed,
        "strokes": mask.has_strokes,
        "saved": mask.exported == mask.version,
    }
