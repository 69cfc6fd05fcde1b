r"""Downloads published weights of a net.

    python convert/download_checkpoint.py --model_name=inception_v3 \
        --checkpoint_dir=weights

resumes an interrupted download, unpacks into weights/inception_v3, verifies that the
variables are those of the net and prints the path to pass as `--checkpoint_path`.
`--list` prints all checkpoints that slim published, and the command that brings weights
of each net from elsewhere: Python packages, which this one downloads too, Keras and
PyTorch. More and more of slim's archives are taken offline: the error for one that is
gone names the conversion that provides weights of the same architecture.
"""

import script_start  # noqa: F401  (before all that takes time)

import contextlib
import dataclasses
import os
from collections.abc import Iterator

from absl import logging

import common.quiet_tensorflow  # noqa: F401  (before others load it)
from checkpoints import slim_format
from common import atomic_files, fetching, storage, tables
from config import app, flags
from config.options import Options, option
from convert import inspect_checkpoint
from convert.published import elsewhere, packages
from convert.published.archives import ARCHIVES, Archive
from convert.weights import fit_text, net_fit
from errors import UserError, nearest
from nets import nets_factory


def find_archive(model_name: str, image_size: int | None) -> tuple[Archive, int]:
    """The published checkpoint of a net.

    Args:
      model_name: the net.
      image_size: side in pixels of the images it was trained on; None takes the
        largest.

    Returns:
      The archive and its image size.

    Raises:
      UserError: no such checkpoint was published.
    """
    if others := elsewhere.sources(model_name) if model_name not in ARCHIVES else []:
        ways = ", or ".join(f"python convert/{way}" for _, way in others)
        raise UserError(
            f"--model_name={model_name}: slim published no checkpoint of it; for"
            f" weights from elsewhere, run {ways}, with --checkpoint_path=…"
        )
    if model_name not in ARCHIVES:
        raise UserError(
            f"--model_name={model_name}: slim published no checkpoint of it"
            f"{nearest(model_name, ARCHIVES)}; expected one of {', '.join(ARCHIVES)}"
        )
    sizes = ARCHIVES[model_name]
    size = image_size or max(sizes)
    if size not in sizes:
        raise UserError(
            f"--image_size={size}: {model_name} was only published for"
            f" {', '.join(map(str, sizes))} pixels"
        )
    return sizes[size], size


@atomic_files.explained_errors()
def download(archive: Archive, model_name: str, folder: str) -> str:
    """Downloads, verifies and unpacks a published checkpoint.

    Args:
      archive: what to download.
      model_name: the net it must fit.
      folder: folder to create; if it exists, nothing is downloaded.

    Returns:
      The checkpoint's path, for `--checkpoint_path`.

    Raises:
      UserError: the archive is gone or damaged, differs from the published one, or the
        folder cannot be written.
    """
    storage.require_local(
        folder, flag="checkpoint_dir", instead="name a local folder, and copy it then"
    )
    if not os.path.isdir(folder):
        parent = os.path.dirname(folder) or "."
        os.makedirs(parent, exist_ok=True)
        file = os.path.join(parent, os.path.basename(archive.url))
        with _on_disk(archive, file):
            _check_digest(file, archive)
            _unpack(file, model_name, folder)
    return checkpoint_in(folder)


@contextlib.contextmanager
def _on_disk(archive: Archive, file: str) -> Iterator[None]:
    """Provides the archive; afterwards deletes it if it had to be downloaded."""
    if os.path.lexists(file):
        logging.info("%s exists and is not downloaded again.", file)
        yield
        return
    try:
        fetching.download(archive.url, file)
    except fetching.UnreachableError as error:
        raise UserError(f"{error}; {_instead(archive)}") from error
    try:
        yield
    finally:
        os.remove(file)  # either unpacked or useless


def _instead(archive: Archive) -> str:
    if not archive.replacement:
        return "no other source of weights for this net is known"
    return (
        "for weights of the same architecture, run"
        f" python convert/{archive.replacement} --checkpoint_path=…"
    )


def _check_digest(file: str, archive: Archive) -> None:
    digest = atomic_files.sha256(file)
    if archive.sha256 is None:
        logging.info(
            "%s: no published SHA-256 is known (this file's is %s); it is verified by"
            " its size, the server's %d bytes, and by its variables.",
            *(file, digest, os.path.getsize(file)),
        )
    elif digest != archive.sha256:
        raise UserError(
            f"{file} has SHA-256 {digest}, expected {archive.sha256} as published at"
            f" {archive.url}: it is not the published file; nothing was unpacked"
        )


def _unpack(file: str, model_name: str, folder: str) -> None:
    """Unpacks into `folder`, which appears only if the checkpoint fits the net."""
    parent, name = os.path.split(folder)
    with atomic_files.scratch_directory(parent or ".", name) as scratch:
        staging = os.path.join(scratch, "unpacked")
        os.mkdir(staging)
        fetching.unpack(file, staging)
        checkpoint = slim_format.Checkpoint(checkpoint_in(staging, file))
        shapes = inspect_checkpoint.sort_names(checkpoint.shapes).variables
        fit = net_fit.compare(shapes, model_name)
        logging.info("%s", fit_text.fits([fit]))
        if not fit.is_whole:
            raise UserError(
                f"{file}: {fit_text.fits([fit])}; it is not a"
                f" checkpoint of {model_name}"
            )
        os.rename(staging, folder)


def checkpoint_in(folder: str, archive: str = "") -> str:
    """The checkpoint somewhere in a folder: published archives differ in depth.

    Args:
      folder: the folder.
      archive: the file that the folder was just unpacked from; "" if it was there.
    """
    found = [
        os.path.join(directory, name)
        for directory, _, _ in os.walk(folder)
        for name in slim_format.checkpoints_in(directory)
    ]
    if not found:
        raise UserError(
            f"{archive or folder} holds no checkpoint: delete it and try again"
        )
    return sorted(found)[0]


def archives_table() -> str:
    """A table of the published checkpoints."""
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


def elsewhere_table() -> str:
    """A table of the nets with weights from elsewhere, and how to get them."""
    rows = elsewhere.rows(list(nets_factory.NETWORKS))
    return tables.printed(("net", "weights of", "python convert/…"), rows)


@dataclasses.dataclass(frozen=True)
class DownloadOptions(Options):
    """Published checkpoint."""

    model_name: str | None = option(
        None, "The net, by its --model_name in training; see --list."
    )
    checkpoint_dir: str | None = option(
        None,
        "Folder for downloaded checkpoints, each in a subfolder named after its net.",
    )
    image_size: int | None = option(
        None,
        "For MobileNets: side in pixels of the images it was trained on. By default the"
        " largest.",
        minimum=1,
    )
    list: bool = option(
        False,
        "Print all published checkpoints, and how to get weights from elsewhere, and"
        " exit.",
    )


def main() -> None:
    """Downloads or lists what the flags name."""
    options = flags.read(DownloadOptions)
    if options.list:
        print(archives_table())
        print(f"\nWeights from elsewhere:\n{elsewhere_table()}")
        return
    model_name = options.model_name
    if not (model_name and options.checkpoint_dir):
        raise UserError("give --model_name and --checkpoint_dir, or --list")
    if model_name in packages.PACKAGES and model_name not in ARCHIVES:
        folder = os.path.join(options.checkpoint_dir, model_name)
        print(f"--checkpoint_path={packages.fetch(model_name, folder)}")
        return
    archive, size = find_archive(model_name, options.image_size)
    name = model_name if options.image_size is None else f"{model_name}_{size}"
    path = download(archive, model_name, os.path.join(options.checkpoint_dir, name))
    logging.info("Published top-1 accuracy: %s %%, at %d pixels.", archive.top_1, size)
    print(f"--model_name={model_name} --checkpoint_path={path} {archive.flags}")


if __name__ == "__main__":
    flags.define(DownloadOptions)
    app.run(main)
