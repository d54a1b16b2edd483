"""Multilabel segmentation: classes that overlap, each decided on alone."""
