"""Splits and folds that never separate the images of a case; near-duplicate images."""
