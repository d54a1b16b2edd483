"""Writers of annotation files, of which the readers of the same names give the labels back."""
