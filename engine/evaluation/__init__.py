"""Evaluation of a net on a split: predictions, metrics, and their reliability."""
