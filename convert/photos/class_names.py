"""The names of classes: those of another run, alike ones, and numbers among them."""

import collections
import os
import re
import unicodedata
from collections.abc import Collection, Iterable, Sequence
from decimal import Decimal

from checkpoints import model_info
from common.natural_order import natural_key
from common.untrusted_text import first_few
from datasets import imagenet, labels
from errors import UserError, nearest

_MAX_NAMED = 3


def given(labels_file: str | None, classes_of: str | None) -> tuple[str, ...] | None:
    """The class names by label that the user gives; None if the photos' decide.

    Args:
      labels_file: a file as labels.txt.
      classes_of: the folder of a training run, or a checkpoint in it.

    Raises:
      UserError: both are given, or one says no classes.
    """
    if labels_file and classes_of:
        raise UserError(
            "--labels_file and --classes_of both say the classes: leave one out"
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
        raise UserError(f"--labels_file={labels_file} is no file: name one")
    if absent := sorted(set(range(max(found))) - set(found)):
        raise UserError(
            f"--labels_file={labels_file} has no class {absent[0]}: number the classes"
            " from 0 without a gap"
        )
    names = tuple(found[label] for label in sorted(found))
    if twice := [name for name, n in collections.Counter(names).items() if n > 1]:
        raise UserError(
            f"--labels_file={labels_file} has the class {twice[0]!r} twice: give each"
            " class one id"
        )
    return names


def _of_run(run: str) -> tuple[str, ...]:
    folder = run if os.path.isdir(run) else os.path.dirname(run)
    record = model_info.read(folder)
    if record is None:
        raise UserError(
            f"--classes_of={run}: no {model_info.FILE_NAME} is there; name the"
            " --train_dir of a run, or give the classes in a --labels_file"
        )
    if record.class_names is None:
        raise UserError(
            f"--classes_of={run}: its {model_info.FILE_NAME} names no classes; give"
            " them in a --labels_file"
        )
    # Of a run with --labels_offset, the labels that its net does not have come first.
    return (*[imagenet.BACKGROUND] * record.labels_offset, *record.class_names)


def check_known(found: Iterable[str], classes: Sequence[str]) -> None:
    """Raises a UserError for photos of classes that are not among those given."""
    unknown = sorted(set(found) - set(classes))
    if unknown:
        shown = first_few(list(map(repr, unknown)), 1)
        raise UserError(
            f"there are photos of the class {shown}, which"
            f" {'are' if unknown[1:] else 'is'} not among the {len(classes)} classes"
            f" given{nearest(unknown[0], classes)}: move the photos elsewhere, or give"
            " the class its name"
        )


def check_distinct(found: Collection[str]) -> None:
    """Raises a UserError for two names that look like one class's."""
    alike: dict[str, str] = {}
    for name in sorted(found):
        other = alike.setdefault(_key(name), name)
        if other != name:
            raise UserError(
                f"the classes {other!r} and {name!r} differ only in"
                f" {_difference(other, name)}: give both one name; if they are two"
                " classes, list all classes in a --labels_file"
            )


def _key(name: str) -> str:
    """The same for names that people take for one."""
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
        return "the way that a number is written"
    return f"characters that look alike ({ascii(first)[1:-1]}, {ascii(second)[1:-1]})"


def explain_order(classes: Sequence[str]) -> str:
    """A remark on numbers in names, which sort as text; "" where that changes nothing.

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
                f"The classes are in the order of text, as in {shown}, not in that of"
                " their numbers: labels.txt has it; for another order, list the classes"
                " in a --labels_file"
            )
    return ""
