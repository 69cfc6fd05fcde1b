"""Batch-norm statistics: whether they lag, and how they are recomputed."""
