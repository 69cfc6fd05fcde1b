"""Four sets of real pictures, unlike each other, as folders with a folder a class.

    python -m tests.real.photo_sets        # make all of them, print where

Stamps are small photographs and drawings, solar cells infrared photographs of sound
and broken cells, textures pieces of three photographs, digits handwritten. Of the
large sets a sample is taken, always the same, so that measuring on two cores ends.
"""

import io
import pathlib
import zipfile
from collections.abc import Sequence

import numpy as np
from PIL import Image
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from config import app
from tests.real import assets

_NUM_SAMPLED = 600
_SEED = 0
_SURE = {"0.0": "sound", "1.0": "broken"}  # share of judges who call a cell broken
_TEXTURES = ("brick", "grass", "gravel")
_TILE = 64  # pixels of the 512 of a texture
_DIGIT_SIDE = 32  # pixels; the digits have 8


def stamps() -> pathlib.Path:
    """Returns 292 stamps of three kinds."""
    return assets.stamps()


def solar_cells() -> pathlib.Path:
    """Returns 600 gray photographs of 300 × 300 pixels in four classes.

    The classes are the kind of cell, mono- or polycrystalline, and whether all who
    judged it called it sound or all broken; the doubtful ones are left out.
    """

    def build(folder: pathlib.Path) -> None:
        with zipfile.ZipFile(assets.archive(assets.ELPV)) as wheel:
            table = wheel.read("elpv_dataset/data/labels.csv").decode()
            rows = [line.split() for line in table.splitlines()]  # path, broken, kind
            sure = [(path, share, kind) for path, share, kind in rows if share in _SURE]
            classes = [f"{kind}_{_SURE[share]}" for _, share, kind in sure]
            for place in _sample(classes):
                path = sure[place][0]
                content = wheel.read(f"elpv_dataset/data/{path}")
                name = pathlib.Path(path).name
                _path(folder, classes[place], name).write_bytes(content)

    return assets.prepared("solar_cells", assets.ELPV.sha256, build)


def textures() -> pathlib.Path:
    """Returns 192 gray pictures of 64 × 64 pixels: pieces of brick, grass, gravel."""

    def build(folder: pathlib.Path) -> None:
        with zipfile.ZipFile(assets.archive(assets.SCIKIT_IMAGE)) as wheel:
            for name in _TEXTURES:
                content = wheel.read(f"skimage/data/{name}.png")
                whole = Image.open(io.BytesIO(content))
                for top in range(0, whole.height, _TILE):
                    for left in range(0, whole.width, _TILE):
                        piece = whole.crop((left, top, left + _TILE, top + _TILE))
                        piece.save(_path(folder, name, f"{top:03d}-{left:03d}.png"))

    return assets.prepared("textures", assets.SCIKIT_IMAGE.sha256, build)


def digits() -> pathlib.Path:
    """Returns 600 gray pictures of handwritten digits, 8 × 8 enlarged to 32 × 32."""

    def build(folder: pathlib.Path) -> None:
        written = load_digits()
        for place in _sample(written.target):
            photo = Image.fromarray(np.uint8(written.images[place] * 255 / 16))
            photo = photo.resize((_DIGIT_SIDE, _DIGIT_SIDE), Image.Resampling.BICUBIC)
            photo.save(_path(folder, str(written.target[place]), f"{place:04d}.png"))

    return assets.prepared("digits", "sklearn", build)


SETS = {
    "stamps": stamps,
    "solar_cells": solar_cells,
    "textures": textures,
    "digits": digits,
}


def _sample(classes: Sequence[object] | np.ndarray) -> np.ndarray:
    """Places of a stratified sample."""
    places, _ = train_test_split(
        np.arange(len(classes)),
        train_size=_NUM_SAMPLED,
        random_state=_SEED,
        stratify=classes,
    )
    return np.sort(places)


def _path(folder: pathlib.Path, class_name: str, name: str) -> pathlib.Path:
    (folder / class_name).mkdir(exist_ok=True)
    return folder / class_name / name


def main() -> None:
    """Makes every set."""
    for name, make in SETS.items():
        print(f"{name:12} {make()}")


if __name__ == "__main__":
    app.run(main)
