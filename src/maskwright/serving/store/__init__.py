"""Images and masks that the page works on, on disk, and the files that are downloaded of them.

A new download format is a function and a line in `downloads.DOWNLOADS`.
"""
