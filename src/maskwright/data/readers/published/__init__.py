"""Readers of data sets as they are published, with what their masks mean."""
