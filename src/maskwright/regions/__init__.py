"""From masks to regions: each masked thing with its box, its crop and its measures."""
