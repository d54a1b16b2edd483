"""From labeled regions to batches of bags."""
