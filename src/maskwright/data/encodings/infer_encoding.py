"""Infer from the masks themselves what their values mean, with a sentence on why."""

from collections.abc import Callable, Sequence

from maskwright.data.encodings.class_map import ClassMap
from maskwright.data.encodings.color_masks import color_masks, palette_masks
from maskwright.data.encodings.encoding import Encoding
from maskwright.data.encodings.gray_masks import gray_masks, two_spellings
from maskwright.data.encodings.inferred import InferredEncoding, MaskEvidence, valued_masks
from maskwright.data.encodings.mask_contents import MaskContents
from maskwright.data.encodings.object_masks import object_files, object_numbers
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
    """Encoding and classes of masks; the arguments are those of `MaskEvidence`.

    Raises:
        DataError: If the masks hold too many values to be classes.
    """
    masks = MaskEvidence(contents, class_map, file_per_object)
    best = next(result for detect in DETECTORS if (result := detect(masks)) is not None)
    encoding = Encoding(best.kind, dict(best.values), best.threshold, best.explanation)
    return encoding, Labels.create(best.names, best.colors)
