"""`--random_affine` is read, or refused by a line that says what is wrong."""

import pytest

from config.training.augmentation_options import AugmentationOptions
from errors import UserError


def test_limits_by_name():
    options = AugmentationOptions(random_affine="shear=10, zoom=0.2,rotate=5")
    assert options.affine_ranges == {"shear": 10, "zoom": 0.2, "rotate": 5}
    assert AugmentationOptions().affine_ranges == {}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("sheer=10", "unknown 'sheer' .did you mean shear.*shear, zoom, rotate, shift"),
        ("zoom", "zoom=, expected a number from 0 to below 1"),
        ("zoom=1", "zoom=1, expected a number from 0 to below 1"),
        ("shear=90", "shear=90, expected a number from 0 to below 90"),
        ("rotate=-5", "rotate=-5, expected a number from 0"),
        ("shift=nan", "shift=nan, expected a number from 0"),
        ("zoom=0.1,zoom=0.2", "zoom is given twice"),
        (" ,", "no entries; expected some, as in shear=10"),
    ],
)
def test_other_texts_are_refused(text, message):
    with pytest.raises(UserError, match=f"--random_affine={text}: {message}"):
        AugmentationOptions(random_affine=text)
