"""Scores of masks beyond pixels: outlines, objects by size, groups of images, probabilities."""
