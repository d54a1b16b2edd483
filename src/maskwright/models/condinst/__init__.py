"""CondInst, a one-stage network of single objects, on the encoders of all other models."""

from maskwright.models.condinst.config import CondInst
from maskwright.models.condinst.losses import condinst_losses
from maskwright.models.condinst.network import CondInstSpec, condinst

__all__ = ["CondInst", "CondInstSpec", "condinst", "condinst_losses"]
