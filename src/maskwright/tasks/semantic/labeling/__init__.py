"""Masks that may be wrong and deserve a second look, and images that are worth labeling next."""
