"""`predict` for whatever a model does: masks, or answers on what lies inside them."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from maskwright.api import masks, regions
from maskwright.card import CARD_FILE, card_kind
from maskwright.errors import ConfigError

if TYPE_CHECKING:
    from maskwright.inference.folder import FolderResult
    from maskwright.regions.folder import CasesResult


def predict(
    model: str | Path,
    images: str | Path,
    out: str | Path,
    *,
    probabilities: bool = False,
    batch_size: int = 8,
    **options: Any,
) -> "FolderResult | CasesResult":
    """Write a mask for every image; from a pipeline, answers on what the masks hold too.

    Args:
        model: Folder of a run.
        images: A file, a folder or a glob.
        out: Folder for the results.
        probabilities: Keep those of the pixels too.
        batch_size: Images segmented at once; a pipeline takes them one by one.
        options: Of `masks.predict` and `predict_regions`: flips, overlays, and what
            `Predictor.adjusted` takes.
    """
    card = Path(model) / CARD_FILE
    if not card.is_file() or card_kind(card) != "regions":
        options |= {"probabilities": probabilities, "batch_size": batch_size}
        return masks.predict(model, images, out, **options)
    if probabilities:
        raise ConfigError(
            "A model of regions keeps no probabilities of pixels; predict with its segmenter for "
            "them."
        )
    return regions.predict_regions(model, images, out, **options)
