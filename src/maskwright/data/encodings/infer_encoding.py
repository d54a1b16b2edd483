"""Infer what the values of masks mean, and say why: of palettes, colors, objects and others."""

from collections.abc import Callable, Iterator

from maskwright.data.encodings.color_masks import color_masks
from maskwright.data.encodings.encoding import Encoding
from maskwright.data.encodings.evidence import InferredEncoding, MaskEvidence
from maskwright.data.encodings.gray_masks import gray_masks
from maskwright.data.encodings.object_masks import object_doubts, object_files, object_numbers
from maskwright.data.encodings.palette_masks import palette_masks
from maskwright.data.encodings.soft_masks import without_edges
from maskwright.data.samples import Doubt, counted
from maskwright.labels import Labels

DETECTORS: tuple[Callable[[MaskEvidence], InferredEncoding | None], ...] = (
    object_files,
    object_numbers,
    palette_masks,
    color_masks,
    gray_masks,
)
"""Encodings that are tried, in order; the first that recognizes the masks is taken."""


def infer_encoding(masks: MaskEvidence) -> tuple[Encoding, Labels, tuple[Doubt, ...]]:
    """Encoding, classes and doubts of masks; `DataError` where they cannot be understood."""
    snapped = without_edges(masks)
    seen = snapped.masks if snapped else masks
    best = next(result for detect in DETECTORS if (result := detect(seen)) is not None)
    explanation, doubts = best.explanation, list(best.doubts)
    if snapped:
        if any(content.palette is not None for content in masks.contents):
            best = best.by_color()
        explanation += f" {snapped.text}"
        doubts += snapped.doubts
    elif best.kind != "objects":
        doubts += object_doubts(masks)
    doubts += _black_masks(masks)
    class_map = masks.class_map
    if best.named and class_map is not None and class_map.rival:
        doubts.append(
            Doubt(
                "class_maps_differ",
                f"{class_map.source} and {class_map.rival} name other classes, or in another order "
                f"or with other values.",
                "Delete the wrong one, or write `classes` or `values` into data.yaml.",
            )
        )
    snap = snapped is not None and best.threshold is None
    encoding = Encoding(best.kind, dict(best.values), best.threshold, explanation, snap)
    return encoding, Labels.create(best.names, best.colors), tuple(doubts)


def _black_masks(masks: MaskEvidence) -> Iterator[Doubt]:
    """Doubt about masks in lossy formats none of which has any white."""
    lossy = [content for content in masks.contents if content.doubtful is not None]
    if lossy and not any(255 in content.values for content in lossy):
        yield Doubt(
            "black_masks",
            f"{counted(len(lossy), 'mask')} with JPEG or another lossy compression are all black: "
            f"they are empty, or held labels such as 1 that compression has removed.",
            "Export them as PNG from the original; or, if they are empty, write `values: "
            "{0: background, 255: foreground}` into data.yaml.",
        )
