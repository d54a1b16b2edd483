"""Model cards: all that the user of a trained model must know, as `model_card.json` beside it.

A task has a card of its own, derived from `ModelCard`.
"""

from maskwright.model_card.base import (
    CARD_FILE,
    LEARNED_FILE,
    MODEL_FILE,
    NETWORK_FILE,
    PERCENTILES,
    SEGMENTER,
    TRUST_ARRAYS_FILE,
    TRUST_FILE,
    ModelCard,
    checksum,
    read_task,
    was_stopped,
)
from maskwright.model_card.cards import InstanceCard, MultilabelCard, RegionCard, SemanticCard
from maskwright.model_card.postprocessing import STEPS, PostprocessingArguments, postprocessing_of

__all__ = [
    "CARD_FILE",
    "LEARNED_FILE",
    "MODEL_FILE",
    "NETWORK_FILE",
    "PERCENTILES",
    "SEGMENTER",
    "STEPS",
    "TRUST_ARRAYS_FILE",
    "TRUST_FILE",
    "InstanceCard",
    "ModelCard",
    "MultilabelCard",
    "PostprocessingArguments",
    "RegionCard",
    "SemanticCard",
    "checksum",
    "was_stopped",
    "postprocessing_of",
    "read_task",
]
