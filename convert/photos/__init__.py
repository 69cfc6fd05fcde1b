"""Your own photos to a data set: found, checked, split, written."""
