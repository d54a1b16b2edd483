"""Threshold and cleaning tuned on predictions of held-out images.

A choice is kept only where its paired gain is significant.
"""
