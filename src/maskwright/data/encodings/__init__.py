"""What mask values stand for: named, inferred from the files, applied."""
