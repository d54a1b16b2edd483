"""Annotation files as the tools save or export them in which people draw."""
