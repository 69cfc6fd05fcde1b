import numpy as np
import pytest
from PIL import Image

from convert.inspection import contact_sheet

RED, BLUE = (Image.new("RGB", (20, 10), colour) for colour in ("red", "blue"))


def draw(images, captions=None, title="title", side=40):
    captions = captions or [""] * len(images)
    return np.asarray(
        contact_sheet.draw(images, captions, title=title, side=side)
    ).astype(int)


def places(sheet, colour):
    """Where a colour is: the first and last row and column."""
    found = np.argwhere((sheet == colour).all(axis=-1))
    return [*found.min(axis=0), *found.max(axis=0)]


def test_images_stand_side_by_side_and_fill_their_places():
    sheet = draw([RED, BLUE, RED, BLUE])
    top, left, bottom, right = places(sheet, (255, 0, 0))
    blue_top, blue_left, _, blue_right = places(sheet, (0, 0, 255))
    assert top == blue_top
    assert right < blue_left
    assert right - left == blue_right - blue_left == 39  # enlarged to the side of 40
    # A row is 40 for the image, 18 for the line, 8 for the gap; the image is 20 high.
    assert bottom - top == 66 + 19


@pytest.mark.parametrize("number", [1, 2, 5, 30])
def test_every_image_is_there(number):
    colours = [(value, 255, 0) for value in range(number)]
    sheet = draw([Image.new("RGB", (40, 40), colour) for colour in colours])
    for colour in colours:
        top, left, bottom, right = places(sheet, colour)
        assert (bottom - top, right - left) == (39, 39)


def test_words_are_written_and_cut():
    blank = draw([RED], title="")
    titled = draw([RED], title="ä long title that needs room")
    assert titled.shape[1] > blank.shape[1]
    captioned = draw([RED], ["word"])
    longer = draw([RED], ["a word that is longer than its place"])
    assert (captioned != blank[:, : captioned.shape[1]]).any()
    assert captioned.shape == longer.shape
    assert (captioned != longer).any()


def test_grey_images_will_do():
    assert draw([Image.new("L", (300, 200), 9)]).shape[2] == 3
