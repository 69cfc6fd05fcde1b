"""Checkpoints in slim's format: arrays by name, `model.ckpt-<step>`, `checkpoint`.

Slim's tools read what is written here. Both of TensorFlow's name-based formats are
read: V2 (`<prefix>.index`, `<prefix>.data-…`) and the single-file V1 of the models
published in 2016.
"""

import os
import re
import shutil
import tempfile
from collections.abc import Mapping, Sequence

import numpy as np
import tensorflow as tf
from absl import logging

from checkpoints import failed_write, other_formats
from common import storage
from common.atomic_files import atomic_write, move, sha256
from common.untrusted_text import first_few
from errors import UserError, first_line, nearest

STATE_FILE = "checkpoint"
_V2_SUFFIX = re.compile(r"\.(index|data-\d{5}-of-\d{5}|meta)$")
_STEP = re.compile(r"-(\d+)$")
# What TensorFlow's reader raises for files it cannot make sense of.
_UNREADABLE = (tf.errors.OpError, LookupError, RuntimeError, ValueError)


def _reason(error: Exception) -> str:
    """TensorFlow's reason; none for a file of another format, of which it says much."""
    return "" if "sstable" in str(error) else f" ({first_line(error)})"


class Checkpoint:
    """A readable checkpoint.

    Attributes:
      path: the prefix (V2) or the file (V1).
      shapes: shape of every variable in it, by name.
    """

    def __init__(self, path: str) -> None:
        """Opens the checkpoint at `path`, a prefix or V1 file.

        Raises:
          UserError: it cannot be read, or is object-based.
        """
        self.path = path
        try:
            self._reader = tf.compat.v1.train.NewCheckpointReader(path)
        except _UNREADABLE as error:
            raise UserError(
                f"{path} cannot be read as a checkpoint{_reason(error)}: it is damaged"
                " or something else; name a run's folder, a checkpoint such as"
                " model.ckpt-1000, or one of its files"
            ) from error
        self.shapes: dict[str, tuple[int, ...]] = {
            name: tuple(shape)
            for name, shape in self._reader.get_variable_to_shape_map().items()
        }
        if other_formats.OBJECT_GRAPH in self.shapes:
            raise UserError(f"{path} is {other_formats.OBJECT_BASED}")

    def read(self, name: str) -> np.ndarray:
        """The array of the variable `name`.

        Raises:
          UserError: the checkpoint's data are damaged.
        """
        try:
            return self._reader.get_tensor(name)
        except _UNREADABLE as error:
            raise UserError(
                f"{self.path}: the values of {name} cannot be read:"
                f" {first_line(error)}; the file is damaged: get or create it again"
            ) from error

    def verify(self) -> None:
        """Reads everything, which checks the checksums that V2 holds.

        Raises:
          UserError: the checkpoint's data are damaged.
        """
        for name in self.shapes:
            self.read(name)

    @property
    def global_step(self) -> int | None:
        """The step at which it was written; None if it holds no global_step."""
        return int(self.read("global_step")) if "global_step" in self.shapes else None


def find_checkpoints(
    paths: Sequence[str], *, flag: str = "checkpoint_path"
) -> list[str]:
    """The checkpoints that a user means by several paths, in their order.

    Args:
      paths: each as for `find_checkpoint`.
      flag: the flag that holds them, for messages.

    Raises:
      UserError: as for `find_checkpoint`, or two paths mean the same checkpoint.
    """
    found: dict[str, str] = {}
    for path in paths:
        checkpoint = find_checkpoint(path, flag=flag)
        real = storage.real(checkpoint)
        if real in found:
            raise UserError(f"--{flag} names {found[real]} twice: name it once")
        found[real] = checkpoint
    return list(found.values())


def find_checkpoint(path: str, *, flag: str = "checkpoint_path") -> str:
    """The checkpoint that a user means by `path`.

    Args:
      path: a directory (its newest checkpoint), a prefix as in
        `model.ckpt-1000`, one of the files `.index`, `.data-…`, `.meta`, the
        `checkpoint` state file, or a V1 file.
      flag: the flag that holds the path, for messages.

    Returns:
      A prefix or V1 file for `Checkpoint`.

    Raises:
      UserError: there is no checkpoint at `path`, or not all of its files; what is
        there instead is named.
    """
    path = os.path.expanduser(path)
    if os.path.basename(path) == STATE_FILE and storage.is_file(path):
        path = os.path.dirname(path) or "."
    if storage.is_folder(path):
        return _newest_or_only(path, flag)
    prefix = _V2_SUFFIX.sub("", path)
    if storage.exists(f"{prefix}.index"):
        if is_complete(prefix):
            return prefix
        raise UserError(
            f"--{flag}={path}: {prefix} lacks a .data file, which holds its values: put"
            " it next to the .index file"
        )
    for file in (prefix, path):
        if storage.is_file(file):
            _require_no_other_format(file, flag)
            return file  # V1, or not a checkpoint at all: reading it will show.
    parent = os.path.dirname(path) or "."
    if not storage.is_folder(parent):
        raise UserError(f"--{flag}={path}: there is no folder {parent}")
    there = checkpoints_in(parent)
    names = storage.names_in(parent)
    folders = [n for n in names if storage.is_folder(os.path.join(parent, n))]
    near = nearest(os.path.basename(path), [*there, *folders])
    raise UserError(
        f"--{flag}={path}: no such checkpoint{near}; the checkpoints in {parent}:"
        f" {', '.join(there) or 'none'}"
    )


def _newest_or_only(directory: str, flag: str) -> str:
    newest = latest_checkpoint(directory)
    if newest:
        return newest
    there = checkpoints_in(directory)
    if named := named_checkpoints(directory):
        raise UserError(
            f"--{flag}={directory}: its file `{STATE_FILE}` names"
            f" {os.path.basename(named[0])}, which is missing or incomplete; name one"
            f" of the checkpoints there: {', '.join(there) or 'none'}"
        )
    if len(there) == 1:
        return os.path.join(directory, there[0])
    if there:
        raise UserError(
            f"--{flag}={directory}: the folder has several checkpoints and no file"
            f" `{STATE_FILE}` that says which: name one of {', '.join(there)}"
        )
    _require_no_other_format(directory, flag)
    files = sorted(storage.names_in(directory))
    holds = f"it holds {first_few(files)}" if files else "it is empty"
    raise UserError(f"--{flag}={directory}: no checkpoint in this folder; {holds}")


def _require_no_other_format(path: str, flag: str) -> None:
    if kind := other_formats.explain(path):
        raise UserError(f"--{flag}={path} is not a slim checkpoint but {kind}")


def checkpoints_in(directory: str) -> list[str]:
    """Names of the checkpoints in a directory, V2 prefixes and V1 `.ckpt` files."""
    names = set()
    for entry in storage.names_in(directory):
        if entry.endswith(".index"):
            names.add(entry[: -len(".index")])
        elif entry.endswith(".ckpt"):
            names.add(entry)
    return sorted(names, key=lambda name: (step_of(name) or 0, name))


def step_of(path: str) -> int | None:
    """The step in a checkpoint's name: 1000 of `model.ckpt-1000`."""
    match = _STEP.search(path)
    return int(match.group(1)) if match else None


def latest_checkpoint(directory: str) -> str | None:
    """The newest complete checkpoint that the state file of a directory names.

    If that file is damaged, it is the one with the highest step.
    """
    named = named_checkpoints(directory)
    if not named and storage.exists(os.path.join(directory, STATE_FILE)):
        names = reversed(checkpoints_in(directory))
        named = [os.path.join(directory, name) for name in names]
    found = next(filter(is_complete, named), None)
    if found and found != named[0]:
        logging.warning(
            "%s, which the file `%s` names first, is missing or incomplete: using %s",
            *(named[0], STATE_FILE, found),
        )
    return found


def named_checkpoints(directory: str) -> list[str]:
    """The checkpoints that the state file of a directory names, newest first.

    Empty if there is no such file; a damaged one is reported.
    """
    try:
        state = tf.train.get_checkpoint_state(directory)
    except (ValueError, tf.errors.OpError):  # UnicodeDecodeError is a ValueError
        state = None
    if state is None:
        path = os.path.join(directory, STATE_FILE)
        if storage.exists(path):
            logging.error("%s is damaged: checkpoints are ordered by their steps", path)
        return []
    named = [*state.all_model_checkpoint_paths, state.model_checkpoint_path]
    # A directory that was moved or copied still names its old place.
    beside = [os.path.join(directory, os.path.basename(path)) for path in named]
    places = zip(beside, named, strict=True)
    found = [b if is_complete(b) or not is_complete(n) else n for b, n in places]
    return list(dict.fromkeys(reversed(found)))


def is_complete(path: str) -> bool:
    """Whether all files of the checkpoint exist."""
    if storage.is_file(path):
        return True
    directory, name = os.path.split(path)
    pattern = re.compile(re.escape(name) + r"\.data-(\d{5})-of-(\d{5})$")
    if not storage.is_file(f"{path}.index"):
        return False
    shards = [m for m in map(pattern.match, storage.names_in(directory)) if m]
    return bool(shards) and len(shards) == int(shards[0].group(2))


def digest_of(path: str) -> str:
    """The SHA-256 by which the values of a checkpoint are known, in hexadecimal digits.

    Args:
      path: a prefix (V2) or file (V1) that is there.
    """
    index = f"{path}.index"  # of V2; it holds checksums of all values
    return sha256(index if storage.is_file(index) else path)


def write_checkpoint(prefix: str, tensors: Mapping[str, np.ndarray]) -> None:
    """Writes `<prefix>.index` and `<prefix>.data-00000-of-00001`, whole or not at all.

    Args:
      prefix: where, as in `/tmp/train/model.ckpt-1000`.
      tensors: arrays by name.

    Raises:
      UserError: the files cannot be written.
    """
    directory, name = os.path.split(prefix)
    try:
        storage.make_folders(directory or ".")
        where = storage.making_folder(prefix)
        aside = tempfile.mkdtemp(prefix=f".{name}.tmp-", dir=where)
    except OSError as error:
        raise UserError(f"{prefix} cannot be written: {error.strerror}") from error
    try:
        temporary = os.path.join(aside, name)
        names = sorted(tensors)
        with tf.device("/CPU:0"):
            tf.raw_ops.SaveV2(
                prefix=temporary,
                tensor_names=names,
                shape_and_slices=[""] * len(names),
                tensors=[tf.convert_to_tensor(tensors[n]) for n in names],
            )
            # The data first: a checkpoint with an index is complete.
            for suffix in (".data-00000-of-00001", ".index"):
                _sync(temporary + suffix)
                move(temporary + suffix, prefix + suffix)
    except (tf.errors.OpError, OSError) as error:
        num_bytes = sum(value.nbytes for value in tensors.values())
        raise UserError(failed_write.explain(prefix, num_bytes, error)) from error
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def write_state(directory: str, names: list[str], newest: str | None = None) -> None:
    """Writes the `checkpoint` file of a directory.

    Args:
      directory: the directory.
      names: its checkpoints, newest last.
      newest: the one to continue from, if that is not the last.
    """
    # An absolute directory; otherwise the names would be relative to the current one.
    state = tf.compat.v1.train.generate_checkpoint_state_proto(
        os.path.sep, names[-1], all_model_checkpoint_paths=names
    )
    state.model_checkpoint_path = newest or names[-1]
    with atomic_write(os.path.join(directory, STATE_FILE), "w") as file:
        file.write(str(state))


def remove_checkpoint(prefix: str) -> None:
    """Removes the files of a checkpoint, its index first."""
    directory, name = os.path.split(prefix)
    entries = storage.names_in(directory)
    ours = [e for e in entries if _V2_SUFFIX.sub("", e) == name and e != name]
    for entry in sorted(ours, key=lambda e: not e.endswith(".index")):
        storage.remove(os.path.join(directory, entry))


def _sync(path: str) -> None:
    with open(path, "rb") as file:
        os.fsync(file.fileno())
