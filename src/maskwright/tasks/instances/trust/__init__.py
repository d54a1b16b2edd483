"""Promises about single objects: shares missed and false by score, calibrated and verified."""
