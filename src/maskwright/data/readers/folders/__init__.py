"""Folders of images and masks: their roles, which files belong together, and the reader."""
