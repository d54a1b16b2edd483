"""Reports: the same page for every evaluation, with tables, charts and example images."""
