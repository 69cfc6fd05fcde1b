"""Archives from the network: whole files, and nothing outside their folder."""

import contextlib
import functools
import gzip
import http.client
import math
import os
import pathlib
import shutil
import tarfile
import time
import urllib.error
import urllib.request
import zlib

from absl import logging

from config import progress
from errors import UserError

_TIMEOUT_SECS = 30
_MAX_ATTEMPTS = 5
_SECS_BETWEEN_ATTEMPTS = 1.0
_CHUNK_BYTES = 1 << 20
_RANGE_NOT_SATISFIABLE = 416


class UnreachableError(Exception):
    """The server is not there, or does not give the file; the message says why."""


def download(url: str, path: str) -> None:
    """Downloads a file, going on where an earlier try broke off.

    What has come so far lies in `<path>.part`; `path` appears when it is whole.

    Args:
      url: an http or https address.
      path: the file to make.

    Raises:
      UnreachableError: the server refuses the file or cannot be found.
      UserError: the connection broke again and again.
    """
    part = f"{path}.part"
    for attempt in range(_MAX_ATTEMPTS):
        if attempt:
            logging.warning("The connection to %s broke; going on.", url)
            time.sleep(_SECS_BETWEEN_ATTEMPTS)
        with contextlib.suppress(
            ConnectionError, TimeoutError, http.client.HTTPException
        ):
            if _fetch_rest(url, part):
                os.replace(part, path)
                return
    raise UserError(
        f"{url}: the connection broke {_MAX_ATTEMPTS} times; run it again later, and it"
        f" goes on with what is in {part}"
    )


def _fetch_rest(url: str, part: str) -> bool:
    """Appends to `part` what is missing; whether it is whole then."""
    have = os.path.getsize(part) if os.path.exists(part) else 0
    headers = {"Range": f"bytes={have}-"} if have else {}
    try:
        response = urllib.request.urlopen(
            urllib.request.Request(url, headers=headers), timeout=_TIMEOUT_SECS
        )
    except urllib.error.HTTPError as error:
        if error.code == _RANGE_NOT_SATISFIABLE and have:
            os.remove(part)  # Longer than the file: it was of another one.
            return False
        raise UnreachableError(
            f"{url} answers {error.code} ({error.reason})"
        ) from error
    except urllib.error.URLError as error:
        raise UnreachableError(f"{url} cannot be reached ({error.reason})") from error
    with response:
        if response.status != http.HTTPStatus.PARTIAL_CONTENT:
            have = 0  # The server sends it from the start.
        length = response.headers["Content-Length"]
        total = have + int(length) if length else None
        with open(part, "ab" if have else "wb") as file:
            for chunk in progress.progress(
                iter(functools.partial(response.read, _CHUNK_BYTES), b""),
                total=math.ceil(int(length) / _CHUNK_BYTES) if length else None,
                desc=f"downloading {os.path.basename(part)}",
                unit="MiB",
            ):
                file.write(chunk)
    return total is None or os.path.getsize(part) == total


def unpack(archive: str, directory: str) -> None:
    """Unpacks a tar file: plain files and folders, all of them inside `directory`.

    Args:
      archive: the file, compressed or not.
      directory: an empty folder to fill.

    Raises:
      UserError: the file is damaged, or has a member that is a link or a device or
        that lies outside the folder.
    """
    try:
        with tarfile.open(archive) as members:
            for member in members:
                _unpack_member(members, member, directory)
    except (tarfile.TarError, EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise UserError(
            f"{archive} is damaged or no tar file ({error}); run it again to download"
            " it anew"
        ) from error


def _unpack_member(
    members: tarfile.TarFile, member: tarfile.TarInfo, directory: str
) -> None:
    path = pathlib.PurePosixPath(member.name)
    if path.is_absolute() or ".." in path.parts:
        raise UserError(f"the archive's member {member.name} lies outside its folder")
    if member.isdir():
        return
    content = members.extractfile(member) if member.isreg() else None
    if content is None:
        raise UserError(f"the archive's member {member.name} is no plain file")
    target = pathlib.Path(directory, path)
    target.parent.mkdir(parents=True, exist_ok=True)
    with content, open(target, "xb") as file:
        shutil.copyfileobj(content, file)
