"""The names of the classes of converted weights.

The number of outputs proves nothing: a net for 1000 products is not one for ImageNet.
Without a flag that says so, only weights of known origin count as ImageNet's.
"""

import os
import re

from absl import logging

from datasets import labels
from errors import UserError

IMAGENET = "imagenet"
# The labels offset for each number of ImageNet classes: slim's label 0 is a background
# class, which other frameworks' nets do not have.
IMAGENET_OFFSETS = {1001: 0, 1000: 1}


def named(
    given: str | None, num_classes: int, *, is_published: bool
) -> tuple[str | None, tuple[str, ...] | None]:
    """The data set whose classes the outputs are, and their names.

    Args:
      given: `--class_names`.
      num_classes: number of the source's classes.
      is_published: whether the weights are known to be published ones of ImageNet.

    Returns:
      `"imagenet"` and None, or None and the names, or None twice.

    Raises:
      UserError: the number of names differs from that of classes, or they cannot be
        read.
    """
    if given is None and is_published and num_classes in IMAGENET_OFFSETS:
        given = IMAGENET
    if given is None:
        logging.warning(
            "The %d classes have no names, only numbers: give --class_names=FILE with"
            " one name per line, in the order of the outputs%s.",
            num_classes,
            f", or --class_names={IMAGENET} if they are ImageNet's"
            if num_classes in IMAGENET_OFFSETS
            else "",
        )
        return None, None
    if given == IMAGENET:
        if num_classes not in IMAGENET_OFFSETS:
            raise UserError(
                f"--class_names={IMAGENET}: the source has {num_classes} classes,"
                " expected ImageNet's 1000, or 1001 with slim's background"
            )
        return IMAGENET, None
    names = _read(given)
    if len(names) != num_classes:
        raise UserError(
            f"--class_names={given} names {len(names)} classes, but the source has"
            f" {num_classes}: give one line per output, in the same order"
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
            f" {IMAGENET} or a text file with one name per line"
        ) from error
    names = [line for line in lines if line]
    if names and all(re.match(r"\d+:", name) for name in names):  # as labels.txt
        by_id = labels.read_by_id(*os.path.split(path)) or {}
        names = [by_id.get(label, "") for label in range(max(by_id) + 1)]
    if twice := sorted({name or "(none)" for name in names if names.count(name) > 1}):
        raise UserError(
            f"--class_names={path} has the class {twice[0]!r} twice: give each output"
            " its own name"
        )
    return tuple(names)
