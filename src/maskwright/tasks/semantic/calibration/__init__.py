"""Promises about masks: what is collected of a split, calibrated, and held against another."""
