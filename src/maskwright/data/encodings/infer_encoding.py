"""Infer from the masks themselves what their values mean, with a sentence on why."""

from collections.abc import Callable, Sequence

from maskwright.data.encodings.class_map import ClassMap
from maskwright.data.encodings.class_names import valued_masks
from maskwright.data.encodings.color_masks import color_masks
from maskwright.data.encodings.encoding import Encoding
from maskwright.data.encodings.gray_masks import gray_masks, two_spellings
from maskwright.data.encodings.inferred import InferredEncoding, MaskEvidence
from maskwright.data.encodings.mask_contents import MaskContents
from maskwright.data.encodings.object_masks import object_files, object_numbers
from maskwright.data.encodings.palette_masks import palette_masks
from maskwright.labels import Labels

Detector = Callable[[MaskEvidence], InferredEncoding | None]
"""Gives the encoding of masks that it recognizes, else `None`."""


DETECTORS: tuple[Detector, ...] = (
    object_files,
    palette_masks,
    color_masks,
    object_numbers,
    valued_masks,
    two_spellings,
    gray_masks,
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
