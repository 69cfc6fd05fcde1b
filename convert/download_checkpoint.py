r"""Downloads a checkpoint that slim published.

    python -m convert.download_checkpoint --model_name=inception_v3 \
        --checkpoint_dir=weights

goes on where an earlier try broke off, unpacks into weights/inception_v3,
checks that the variables are those of the net and prints the path to give as
`--checkpoint_path`. `--list` prints all that there are. The archives go dark one after
another: of a dead one it is said which conversion brings in the same architecture.
"""

import script_start  # noqa: F401  (before all that takes time)

import contextlib
import os
from collections.abc import Iterator

from absl import flags, logging

import common.quiet_tensorflow  # noqa: F401  (before others load it)
from checkpoints import slim_format
from common import atomic_files, fetching, tables
from config import app
from convert import inspect_checkpoint
from convert.weights import fit_text, net_fit
from convert.weights.known_archives import ARCHIVES, Archive
from errors import UserError, nearest

FLAGS = flags.FLAGS


def find_archive(model_name: str, image_size: int | None) -> tuple[Archive, int]:
    """The published checkpoint of a net.

    Args:
      model_name: the net.
      image_size: side of the images it was trained on; None is the largest there is.

    Returns:
      The archive, and its image size.

    Raises:
      UserError: none was published.
    """
    if model_name not in ARCHIVES:
        raise UserError(
            f"--model_name={model_name}: no checkpoint of it was published"
            f"{nearest(model_name, ARCHIVES)}; there are {', '.join(ARCHIVES)}"
        )
    sizes = ARCHIVES[model_name]
    size = image_size or max(sizes)
    if size not in sizes:
        raise UserError(
            f"--image_size={size}: {model_name} was published for"
            f" {', '.join(map(str, sizes))} pixels"
        )
    return sizes[size], size


@atomic_files.explained_errors()
def download(archive: Archive, model_name: str, folder: str) -> str:
    """Downloads, verifies and unpacks a published checkpoint.

    Args:
      archive: what to download.
      model_name: the net it must fit.
      folder: what to make; when it is there already, nothing is downloaded.

    Returns:
      The checkpoint's path, for `--checkpoint_path`.

    Raises:
      UserError: the archive is gone, damaged, or not what it was known to be, or the
        folder cannot be written to.
    """
    if not os.path.isdir(folder):
        parent = os.path.dirname(folder) or "."
        os.makedirs(parent, exist_ok=True)
        file = os.path.join(parent, os.path.basename(archive.url))
        with _on_disk(archive, file):
            _check_digest(file, archive)
            _unpack(file, model_name, folder)
    return _checkpoint_in(folder)


@contextlib.contextmanager
def _on_disk(archive: Archive, file: str) -> Iterator[None]:
    """Sees to the archive's file: what was there stays, what is downloaded goes."""
    if os.path.lexists(file):
        logging.info("%s is there, and is not downloaded.", file)
        yield
        return
    try:
        fetching.download(archive.url, file)
    except fetching.UnreachableError as error:
        raise UserError(f"{error}; {_instead(archive)}") from error
    try:
        yield
    finally:
        os.remove(file)  # Unpacked, or of no use.


def _instead(archive: Archive) -> str:
    if not archive.replacement:
        return "no other source of weights for this net is known"
    return (
        "weights of the same architecture come from python -m"
        f" convert.{archive.replacement} --checkpoint_path=…"
    )


def _check_digest(file: str, archive: Archive) -> None:
    digest = atomic_files.sha256(file)
    if archive.sha256 is None:
        logging.info(
            "%s: no published SHA-256 of it is known (this one is %s); it is checked by"
            " its %d bytes, all that the server has, and by its variables.",
            *(file, digest, os.path.getsize(file)),
        )
    elif digest != archive.sha256:
        raise UserError(
            f"{file} has sha256 {digest}, and that of {archive.url} was"
            f" {archive.sha256}: it is not what was published; nothing was unpacked"
        )


def _unpack(file: str, model_name: str, folder: str) -> None:
    """Makes `folder`, once its checkpoint is known to fit the net."""
    parent, name = os.path.split(folder)
    with atomic_files.scratch_directory(parent or ".", name) as scratch:
        staging = os.path.join(scratch, "unpacked")
        os.mkdir(staging)
        fetching.unpack(file, staging)
        checkpoint = slim_format.Checkpoint(_checkpoint_in(staging, file))
        shapes = inspect_checkpoint.sort_names(checkpoint.shapes).variables
        fit = net_fit.compare(shapes, model_name)
        logging.info("%s", fit_text.describe_fits([fit]))
        if not fit.is_whole:
            raise UserError(
                f"{file}: {fit_text.describe_fits([fit])}; it is not the"
                f" checkpoint of {model_name}"
            )
        os.rename(staging, folder)


def _checkpoint_in(folder: str, archive: str = "") -> str:
    """The one checkpoint at or below a folder; the published ones differ in depth.

    Args:
      folder: where it is.
      archive: what the folder was unpacked from, if just now.
    """
    found = [
        os.path.join(directory, name)
        for directory, _, _ in os.walk(folder)
        for name in slim_format.checkpoints_in(directory)
    ]
    if not found:
        raise UserError(
            f"{archive or folder} holds no checkpoint; remove it and run this again"
        )
    return sorted(found)[0]


def describe_all() -> str:
    """The published checkpoints as a table."""
    rows = [
        [
            name,
            str(size),
            str(archive.top_1),
            str(archive.top_5 or ""),
            archive.flags,
            archive.replacement,
        ]
        for name, sizes in ARCHIVES.items()
        for size, archive in sizes.items()
    ]
    headers = ("net", "image size", "top-1 %", "top-5 %", "evaluate with", "if gone")
    return tables.printed(headers, rows)


def main() -> None:
    """Downloads or lists what the flags name."""
    if FLAGS.list:
        print(describe_all())
        return
    if not (FLAGS.model_name and FLAGS.checkpoint_dir):
        raise UserError("give --model_name and --checkpoint_dir, or --list")
    archive, size = find_archive(FLAGS.model_name, FLAGS.image_size)
    name = (
        FLAGS.model_name if FLAGS.image_size is None else f"{FLAGS.model_name}_{size}"
    )
    path = download(archive, FLAGS.model_name, os.path.join(FLAGS.checkpoint_dir, name))
    logging.info("Published top-1 accuracy: %s %%, at %d pixels.", archive.top_1, size)
    print(f"--model_name={FLAGS.model_name} --checkpoint_path={path} {archive.flags}")


def _define_flags() -> None:
    flags.DEFINE_string(
        "model_name", None, "The net, as the training script calls it; see --list."
    )
    flags.DEFINE_string(
        "checkpoint_dir",
        None,
        "Where to put it: the checkpoint goes into a folder of the net's name there.",
    )
    flags.DEFINE_integer(
        "image_size",
        None,
        "For MobileNets, side of the images it was trained on. Unset: the largest.",
        lower_bound=1,
    )
    flags.DEFINE_bool("list", False, "Print all published checkpoints and stop.")


if __name__ == "__main__":
    _define_flags()
    app.run(main)
