"""Images of any size: predicted by windows, post-processed across seams, written in pieces."""
