"""Formats of annotation files, whose objects are drawn once as masks with a manifest.

A format is a module that gives `Annotations`, and a line in `READERS` of `resolve.py`; what they
have in common, from finding images to drawing masks, is here once for all.
"""
