"""Photographs of one's own into a data set: found, checked, split, written."""
