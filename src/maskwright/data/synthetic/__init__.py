"""The built-in data sets: drawn scenes of cells, and cases of them."""
