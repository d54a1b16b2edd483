"""Scores of decisions on regions, images or cases, with ground truth masks and with predicted ones.

A new score is a field of `metrics.Decisions` and an entry of `SCORES` in `scores.py`.
"""
