"""Verbs that hand trained models to other programs."""
