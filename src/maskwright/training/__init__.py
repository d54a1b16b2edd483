"""Training: model and batches become a run."""
