"""Distinguishes cameras' raw files from TIFF files, which begin the same way.

Pillow would open the preview thumbnail inside them.
"""

import contextlib
import io
from typing import Any

from PIL import TiffImagePlugin

_PHOTOMETRIC, _SUB_IFDS, _DNG_VERSION = 262, 330, 50706  # tags
# Raw sensor values, before demosaicing (TIFF/EP, DNG).
_SENSOR = (32803, 34892)


def is_raw(data: bytes) -> bool:
    """Whether a file that begins like TIFF is a camera's raw file."""
    if data[8:10] == b"CR" and data[:2] == b"II":  # Canon's CR2
        return True
    with contextlib.suppress(Exception):  # damaged: the decoder will report it
        header = data[:16] if data[2:3] == b"+" or data[3:4] == b"+" else data[:8]
        first = TiffImagePlugin.ImageFileDirectory_v2(header)
        tags = _read(header, data, first.next)
        if _DNG_VERSION in tags or tags.get(_PHOTOMETRIC) in _SENSOR:
            return True
        places = tags.get(_SUB_IFDS, ())
        for place in places if isinstance(places, tuple) else (places,):
            if _read(header, data, place).get(_PHOTOMETRIC) in _SENSOR:
                return True
    return False


def _read(header: bytes, data: bytes, place: int) -> Any:
    """The tags at an offset of a TIFF file."""
    file = io.BytesIO(data)
    file.seek(place)
    tags = TiffImagePlugin.ImageFileDirectory_v2(header)
    tags.load(file)
    return tags
