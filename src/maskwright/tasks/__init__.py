"""Tasks: what a model does. One folder each."""
