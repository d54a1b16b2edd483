"""A trained run as something that predicts without the code that trained it."""

from maskwright.export.runtime import load_logits

__all__ = ["load_logits"]
