"""Trackers: settings, scores and results of a run for TensorBoard, MLflow or Weights & Biases.

Each client is a class of one module, listed in `tracking.py`; a tracker that fails stops no
training.
"""
