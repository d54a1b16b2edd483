"""Which images belong together: cases by patterns of names, copies, and frames of videos.

What is found here is grouped by whoever divides or scores images; nothing here assigns a split.
"""
