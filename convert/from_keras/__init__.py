"""Keras models as a source of weights."""
