"""Scores of single objects: what is counted in each image, what is shown, and the report.

A new score is a value of `InstanceEvaluation.scores` and an entry of `SCORES`, both in `scores.py`.
"""
