"""Which split a sample is in, by the words for splits and by lists."""
