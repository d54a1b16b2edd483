"""A trained run as something that predicts without the code that trained it."""

from maskwright.export.ensemble import is_ensemble, write_ensemble
from maskwright.export.runtime import load_logits

__all__ = ["is_ensemble", "load_logits", "write_ensemble"]
