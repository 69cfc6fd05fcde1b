"""What the classes of converted weights are called.

The number of outputs proves nothing: a net of 1000 products is no net of ImageNet. Only
weights whose origin is known are ImageNet's without being said to be.
"""

import os
import re

from absl import logging

from datasets import labels
from errors import UserError

IMAGENET = "imagenet"
# ImageNet's numbers of classes, and the labels' offset: slim counts its labels from a
# background class, 0, which other frameworks' nets do not have.
IMAGENET_OFFSETS = {1001: 0, 1000: 1}


def named(
    given: str | None, num_classes: int, *, is_published: bool
) -> tuple[str | None, tuple[str, ...] | None]:
    """The data set that classes are of, and their names.

    Args:
      given: `--class_names`.
      num_classes: of the source.
      is_published: whether the weights are known to be published ones of ImageNet.

    Returns:
      `"imagenet"` and None, None and the names, or two times None.

    Raises:
      UserError: there are more names than classes, or fewer, or they cannot be read.
    """
    if given is None and is_published and num_classes in IMAGENET_OFFSETS:
        given = IMAGENET
    if given is None:
        logging.warning(
            "Nothing names the %d classes, so numbers stand for them: give"
            " --class_names=FILE with a name a line, in the order of the outputs%s.",
            num_classes,
            f", or --class_names={IMAGENET} if they are ImageNet's"
            if num_classes in IMAGENET_OFFSETS
            else "",
        )
        return None, None
    if given == IMAGENET:
        if num_classes not in IMAGENET_OFFSETS:
            raise UserError(
                f"--class_names={IMAGENET}: ImageNet has 1000 classes, 1001 with slim's"
                f" background, and the source {num_classes}"
            )
        return IMAGENET, None
    names = _read(given)
    if len(names) != num_classes:
        raise UserError(
            f"--class_names={given} names {len(names)} classes, and the source has"
            f" {num_classes}: give each output its line, in their order"
        )
    return None, names


def _read(path: str) -> tuple[str, ...]:
    try:
        with open(path, encoding="utf-8-sig") as file:
            lines = [line.strip() for line in file.read().splitlines()]
    except UnicodeDecodeError as error:
        raise UserError(f"--class_names={path} is not UTF-8 text") from error
    except OSError as error:
        raise UserError(
            f"--class_names={path} cannot be read: {error.strerror}; give"
            f" {IMAGENET} or a text file with a name a line"
        ) from error
    names = [line for line in lines if line]
    if names and all(re.match(r"\d+:", name) for name in names):  # as labels.txt
        by_id = labels.read_by_id(*os.path.split(path)) or {}
        names = [by_id.get(label, "") for label in range(max(by_id) + 1)]
    if twice := sorted({name or "(none)" for name in names if names.count(name) > 1}):
        raise UserError(
            f"--class_names={path} has the class {twice[0]!r} twice: give each output a"
            " name of its own"
        )
    return tuple(names)
