"""Search in indexed pictures: entries, conditions, and the indexes that hold them."""
