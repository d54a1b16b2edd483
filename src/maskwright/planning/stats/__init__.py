"""Statistics of a data set, measured in its training images."""
