"""Class names: taken from a run or a file, checked for similarity and order."""

import collections
import os
import re
import unicodedata
from collections.abc import Collection, Iterable, Sequence
from decimal import Decimal

from checkpoints import model_info
from common import storage
from common.natural_order import natural_key
from common.untrusted_text import first_few
from datasets import imagenet, labels
from errors import UserError, nearest

_MAX_NAMED = 3


def given(labels_file: str | None, classes_of: str | None) -> tuple[str, ...] | None:
    """The class names that the user gives, by label; None to use those of the photos.

    Args:
      labels_file: a file in the format of labels.txt.
      classes_of: the folder of a training run, or a checkpoint in it.

    Raises:
      UserError: both are given, or one contains no class names.
    """
    if labels_file and classes_of:
        raise UserError(
            "--labels_file and --classes_of both give the classes: omit one"
        )
    if classes_of:
        return _of_run(classes_of)
    if not labels_file:
        return None
    return _of_file(labels_file)


def _of_file(labels_file: str) -> tuple[str, ...]:
    try:
        found = labels.read_by_id(*os.path.split(labels_file))
    except OSError as error:
        raise UserError(
            f"--labels_file={labels_file} cannot be read: {error.strerror}"
        ) from error
    if found is None:
        raise UserError(f"--labels_file={labels_file} is not a file: give one")
    if absent := sorted(set(range(max(found))) - set(found)):
        raise UserError(
            f"--labels_file={labels_file} has no class {absent[0]}: number the classes"
            " from 0 without gaps"
        )
    names = tuple(found[label] for label in sorted(found))
    if twice := [name for name, n in collections.Counter(names).items() if n > 1]:
        raise UserError(
            f"--labels_file={labels_file} has the class {twice[0]!r} twice: give each"
            " class a single id"
        )
    return names


def _of_run(run: str) -> tuple[str, ...]:
    folder = run if storage.is_folder(run) else os.path.dirname(run)
    info = model_info.read(folder)
    if info is None:
        raise UserError(
            f"--classes_of={run}: there is no {model_info.FILE_NAME}; give the"
            " --train_dir of a run, or the classes in a --labels_file"
        )
    if info.class_names is None:
        raise UserError(
            f"--classes_of={run}: its {model_info.FILE_NAME} has no class names; give"
            " them in a --labels_file"
        )
    # With --labels_offset, the labels that the net does not have come first.
    return (*[imagenet.BACKGROUND] * info.labels_offset, *info.class_names)


def check_known(found: Iterable[str], classes: Sequence[str]) -> None:
    """Raises a UserError for photos of classes not among those given."""
    unknown = sorted(set(found) - set(classes))
    if unknown:
        shown = first_few(list(map(repr, unknown)), 1)
        raise UserError(
            f"there are photos of the class {shown}, which"
            f" {'are' if unknown[1:] else 'is'} not among the {len(classes)} classes"
            f" given{nearest(unknown[0], classes)}: move the photos elsewhere, or"
            " correct the name"
        )


def check_distinct(found: Collection[str]) -> None:
    """Raises a UserError for two names that look the same."""
    alike: dict[str, str] = {}
    for name in sorted(found):
        other = alike.setdefault(_key(name), name)
        if other != name:
            raise UserError(
                f"the classes {other!r} and {name!r} differ only in"
                f" {_difference(other, name)}: give both the same name; if they are"
                " different classes, list all classes in a --labels_file"
            )


def _key(name: str) -> str:
    """A key that is equal for names that look the same."""
    text = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())
    text = "".join(
        char
        for char in text
        if not char.isspace() and unicodedata.category(char) not in ("Cf", "Cc")
    )
    if re.fullmatch(r"\d+(\.\d*)?", text):
        return str(Decimal(text).normalize())
    return text


def _difference(first: str, second: str) -> str:
    if "".join(first.split()) == "".join(second.split()):
        return "blanks"
    if first.casefold() == second.casefold():
        return "case"
    if unicodedata.normalize("NFC", first) == unicodedata.normalize("NFC", second):
        return (
            "the form of their Unicode characters"
            f" ({ascii(first)[1:-1]}, {ascii(second)[1:-1]})"
        )
    if _key(first)[:1].isdecimal():
        return "how a number is written"
    return f"characters that look alike ({ascii(first)[1:-1]}, {ascii(second)[1:-1]})"


def explain_order(classes: Sequence[str]) -> str:
    """A remark about numbers in names, which sort as text; "" if the order is the same.

    Args:
      classes: by label, sorted as text.
    """
    groups = collections.defaultdict(list)
    for name in classes:
        groups[re.sub(r"\d+", "0", name)].append(name)
    for group in groups.values():
        if group != sorted(group, key=natural_key):
            shown = ", ".join(map(repr, group[:_MAX_NAMED]))
            return (
                f"The classes are sorted as text, as in {shown}, not by their numbers;"
                " see labels.txt. For another order, list the classes in a"
                " --labels_file"
            )
    return ""
