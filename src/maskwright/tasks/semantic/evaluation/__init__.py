"""Scores of masks of classes: what is counted, what is shown, and two models on the same images.

A new score is a field of `metrics.Scores` and an entry of a list in `scores.py`.
"""
