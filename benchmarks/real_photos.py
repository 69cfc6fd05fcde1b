"""Real photos and published weights to measure with, from packages (`tests.real`)."""

import pathlib

from fine_tuning import weights
from tests.real import assets, photo_sets

SETS = tuple(photo_sets.SETS)


def folder(name: str) -> pathlib.Path:
    """The folder of a set of `SETS`, with a folder for each class; or of own photos."""
    return photo_sets.SETS[name]() if name in SETS else pathlib.Path(name)


def checkpoint(model_name: str) -> str:
    """The path of a net's published weights."""
    if model_name == "inception_v3":
        return assets.inception_checkpoint()
    return weights.fetch(model_name)
