"""Writers of data sets as they are published."""
