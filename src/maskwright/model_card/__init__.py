"""Model cards: all that the user of a trained model must know, as `model_card.json` beside it.

A task has a card of its own, derived from `ModelCard`.
"""

from maskwright.model_card.base import (
    CARD_FILE,
    MODEL_FILE,
    NETWORK_FILE,
    SEGMENTER,
    ModelCard,
    checksum,
    read_task,
)
from maskwright.model_card.cards import InstanceCard, RegionCard, SemanticCard

__all__ = [
    "CARD_FILE",
    "MODEL_FILE",
    "NETWORK_FILE",
    "SEGMENTER",
    "InstanceCard",
    "ModelCard",
    "RegionCard",
    "SemanticCard",
    "checksum",
    "read_task",
]
