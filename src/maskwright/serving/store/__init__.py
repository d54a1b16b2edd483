"""Images and masks that the page works on, on disk; formats of masks, and data to train on."""
