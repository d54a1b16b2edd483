"""Infer from the masks themselves what their values mean, with a sentence on why."""

from collections.abc import Callable, Sequence

from maskwright.data.encodings.class_map import ClassMap
from maskwright.data.encodings.class_names import classes_by_value, name_classes
from maskwright.data.encodings.color_masks import color_masks
from maskwright.data.encodings.encoding import Encoding
from maskwright.data.encodings.gray_masks import gray_classes, two_spellings
from maskwright.data.encodings.inferred import InferredEncoding, MaskEvidence
from maskwright.data.encodings.mask_contents import MaskContents
from maskwright.data.encodings.object_masks import object_files, object_numbers
from maskwright.data.encodings.palette_masks import palette_masks
from maskwright.labels import Labels

Detector = Callable[[MaskEvidence], InferredEncoding | None]
"""Gives the encoding of masks that it recognizes, else `None`."""


def _valued_classes(masks: MaskEvidence) -> InferredEncoding | None:
    return classes_by_value(masks.counts, masks.class_map)


def _two_spellings(masks: MaskEvidence) -> InferredEncoding | None:
    encoding = two_spellings(masks)
    return encoding and name_classes(encoding, masks.class_map, sorted(masks.counts))


def _gray_classes(masks: MaskEvidence) -> InferredEncoding:
    return name_classes(gray_classes(masks.counts), masks.class_map, sorted(masks.counts))


DETECTORS: tuple[Detector, ...] = (
    object_files,
    palette_masks,
    color_masks,
    object_numbers,
    _valued_classes,
    _two_spellings,
    _gray_classes,
)
"""Encodings that are tried, in order; the first that recognizes the masks is taken."""


def infer_encoding(
    contents: Sequence[MaskContents],
    class_map: ClassMap | None = None,
    file_per_object: bool = False,
) -> tuple[Encoding, Labels]:
    """Encoding and classes of masks.

    Args:
        contents: Of all masks, or of a sample of them.
        class_map: Classes that are known from a file or from the data set.
        file_per_object: Whether an image has several mask files, one for each object.

    Raises:
        DataError: If the masks hold too many values to be classes.
    """
    masks = MaskEvidence(contents, class_map, file_per_object)
    inferred = next(result for detect in DETECTORS if (result := detect(masks)) is not None)
    encoding = Encoding(
        inferred.kind, dict(inferred.values), inferred.threshold, inferred.explanation
    )
    return encoding, Labels.create(inferred.names, inferred.colors)
