"""Preprocessing: one image in, one image out."""
