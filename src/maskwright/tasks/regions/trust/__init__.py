"""Promises about decisions: answers that name a class or refer, calibrated and verified."""
