"""Weights of any source into a slim checkpoint, compared before it is written."""
