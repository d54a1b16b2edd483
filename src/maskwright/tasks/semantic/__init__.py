"""Semantic segmentation: a class for every pixel.

Public is the task, through the verbs of `maskwright`; `segmentation` is its learning task.
"""
