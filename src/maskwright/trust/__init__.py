"""Promises about masks that hold for new cases, and doubts about single images and labels.

Functions of NumPy arrays alone: what a predictor gives, or scores by case, goes in.
"""
