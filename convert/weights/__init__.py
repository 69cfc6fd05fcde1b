"""Weights from any source to a slim checkpoint, verified before it is written."""
