"""Archives from the network: whole files, and nothing outside their folder."""

import bz2
import contextlib
import functools
import gzip
import http.client
import lzma
import math
import os
import pathlib
import re
import shutil
import stat
import tarfile
import time
import urllib.error
import urllib.parse
import urllib.request
import zlib
from collections.abc import Mapping
from email.message import Message
from typing import IO, Any

from absl import logging

from common import progress
from errors import UserError

_TIMEOUT_SECS = 30
_MAX_ATTEMPTS = 5
_SECS_BETWEEN_ATTEMPTS = 1.0
_CHUNK_BYTES = 1 << 20
_GB = 1_000_000_000
MAX_BYTES = 2 * _GB  # the largest published checkpoint has half of it
_MAX_UNPACKED_BYTES = 8 * _GB
_MAX_MEMBERS = 10_000
# What the library reads at once of a tar file, names that precede a member included.
_MAX_READ_BYTES = 16 << 20
_SCHEMES = ("http", "https")
_COMPRESSED: Mapping[bytes, Any] = {
    b"\x1f\x8b": gzip.GzipFile,
    b"BZ": bz2.BZ2File,
    b"\xfd7": lzma.LZMAFile,
}


class UnreachableError(Exception):
    """The server is not there, or does not give the file; the message says why."""


def download(url: str, path: str, max_bytes: int = MAX_BYTES) -> None:
    """Downloads a file, continuing where an earlier attempt broke off.

    What has come so far lies in `<path>.part`; `path` appears when it is whole.

    Args:
      url: an http or https address.
      path: the file to make; nothing may be there.
      max_bytes: more than the file can have.

    Raises:
      UnreachableError: the server refuses the file, answers what makes no sense, or
        cannot be found.
      UserError: the connection broke again and again, the file is too large, or
        something is in the way of it.
    """
    part = f"{path}.part"
    for name in (path, part):
        _refuse_stranger(name, may_be_file=name == part)
    for attempt in range(_MAX_ATTEMPTS):
        if attempt:
            logging.warning("The connection to %s broke; continuing.", url)
            time.sleep(_SECS_BETWEEN_ATTEMPTS)
        with contextlib.suppress(
            ConnectionError, TimeoutError, http.client.HTTPException
        ):
            if _fetch_rest(url, part, max_bytes):
                _refuse_stranger(path, may_be_file=False)
                os.rename(part, path)
                return
    raise UserError(
        f"{url}: the connection broke {_MAX_ATTEMPTS} times; run the command again"
        f" later to continue with what is in {part}"
    )


def _refuse_stranger(path: str, *, may_be_file: bool) -> None:
    """Refuses what a download would replace or write through."""
    if not os.path.lexists(path):
        return
    if not (may_be_file and stat.S_ISREG(os.lstat(path).st_mode)):
        raise UserError(f"{path} is in the way of a download: move it elsewhere")


def _fetch_rest(url: str, part: str, max_bytes: int) -> bool:
    """Appends to `part` what is missing; whether it is whole then."""
    have = os.path.getsize(part) if os.path.exists(part) else 0
    try:
        response = _ask(url, have)
    except urllib.error.HTTPError as error:
        if error.code == http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE and have:
            if error.headers.get("Content-Range") == f"bytes */{have}":
                return True
            os.remove(part)  # Longer than the file: it was of another one.
            return False
        reason = str(error.reason).partition("\n")[0]  # of redirects in a circle: three
        raise UnreachableError(f"{url} answers {error.code} ({reason})") from error
    except urllib.error.URLError as error:
        raise UnreachableError(f"{url} cannot be reached ({error.reason})") from error
    with response:
        is_part = response.status == http.HTTPStatus.PARTIAL_CONTENT
        if is_part and not have:
            raise UnreachableError(f"{url} answers with only a part of the file")
        if not is_part:
            have = 0  # The server sends it from the start.
        length = _length(url, response.headers)
        total = None if length is None else have + length
        if have and _range(url, response.headers, length) != (have, total):
            os.remove(part)  # Another part than was asked for, or of another file.
            return False
        if total is not None and total > max_bytes:
            raise _too_large(url, max_bytes)
        _append(response, url, part, have, length, max_bytes)
    return total is None or os.path.getsize(part) == total


def _ask(url: str, have: int) -> Any:
    if urllib.parse.urlsplit(url).scheme not in _SCHEMES:
        raise UnreachableError(f"{url} is not an http or https address")
    headers = {"Range": f"bytes={have}-"} if have else {}
    opener = urllib.request.build_opener(_SafeRedirects)
    request = urllib.request.Request(url, headers=headers)
    return opener.open(request, timeout=_TIMEOUT_SECS)


class _SafeRedirects(urllib.request.HTTPRedirectHandler):
    """Follows a server elsewhere on the web, but never out of https."""

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: http.client.HTTPMessage,
        newurl: str,
    ) -> urllib.request.Request | None:
        """See the base class.

        Raises:
          UnreachableError: it is not safe to follow.
        """
        scheme = urllib.parse.urlsplit(newurl).scheme
        if scheme not in _SCHEMES or (req.type == "https" and scheme != "https"):
            raise UnreachableError(
                f"{req.full_url} redirects to {newurl!r}, which is not safe"
            )
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _length(url: str, headers: Message) -> int | None:
    """How many bytes are to come; None if the server does not say."""
    text = headers["Content-Length"]
    if text is None:
        return None
    if not re.fullmatch(r"[0-9]{1,18}", text.strip()):
        raise UnreachableError(f"{url} answers with Content-Length: {text[:40]!r}")
    return int(text)


def _range(
    url: str, headers: Message, length: int | None
) -> tuple[int, int | None] | None:
    """First byte of a part, and the size of the whole; None if they make no sense."""
    text = headers["Content-Range"] or ""
    found = re.fullmatch(r"bytes ([0-9]{1,18})-([0-9]{1,18})/([0-9]{1,18})", text)
    if found is None:
        raise UnreachableError(
            f"{url} answers a part of the file with Content-Range: {text[:60]!r}"
        )
    first, last, total = map(int, found.groups())
    if last + 1 != total:
        return None
    return first, None if length is None else total


def _append(
    response: Any, url: str, part: str, have: int, length: int | None, max_bytes: int
) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW
    flags |= os.O_APPEND if have else os.O_TRUNC
    with open(os.open(part, flags, 0o666), "wb") as file:
        for chunk in progress.progress(
            iter(functools.partial(response.read, _CHUNK_BYTES), b""),
            total=math.ceil(length / _CHUNK_BYTES) if length is not None else None,
            desc=f"downloading {os.path.basename(part)}",
            unit="MiB",
        ):
            have += len(chunk)
            if have > max_bytes:
                raise _too_large(url, max_bytes)
            file.write(chunk)


def _too_large(url: str, max_bytes: int) -> UserError:
    return UserError(
        f"{url} is larger than {max_bytes / _GB:g} GB: it is not what was published"
    )


def unpack(archive: str, directory: str, max_bytes: int = _MAX_UNPACKED_BYTES) -> None:
    """Unpacks a tar file: plain files and folders, all of them inside `directory`.

    Args:
      archive: the file, compressed or not.
      directory: an empty folder to fill.
      max_bytes: more than the files can have together.

    Raises:
      UserError: the file is damaged or too large, or has a member that is a link or a
        device or that lies outside the folder.
    """
    try:
        with (
            _opened(archive) as content,
            _members(_Limited(content, archive, max_bytes)) as members,
        ):
            for number, member in enumerate(members):
                if number >= _MAX_MEMBERS:
                    raise UserError(f"{archive} has more than {_MAX_MEMBERS} members")
                _unpack_member(members, member, directory)
    except (
        *(tarfile.TarError, EOFError, zlib.error, gzip.BadGzipFile, lzma.LZMAError),
        *(OverflowError, ValueError),
    ) as error:
        if isinstance(error, UserError):
            raise
        raise UserError(f"{archive} is damaged or not a tar file ({error})") from error


def _members(content: Any) -> tarfile.TarFile:
    return tarfile.open(fileobj=content, mode="r:")


def _opened(archive: str) -> Any:
    """The file, uncompressed."""
    with open(archive, "rb") as file:
        head = file.read(2)
    return _COMPRESSED.get(head, open)(archive, "rb")


class _Limited:
    """A file for `tarfile` that ends with an error where no checkpoint's tar would."""

    def __init__(self, content: Any, name: str, max_bytes: int) -> None:
        self._content = content
        self._name = name
        self._max_bytes = max_bytes

    def read(self, size: int) -> bytes:
        """Reads `size` bytes at most."""
        self._check(size, _MAX_READ_BYTES)
        self._check(self.tell() + size, self._max_bytes)
        return self._content.read(size)

    def seek(self, position: int) -> int:
        """Goes to a byte."""
        self._check(position, self._max_bytes)
        return self._content.seek(position)

    def tell(self) -> int:
        """Which byte comes next."""
        return self._content.tell()

    def _check(self, size: int, limit: int) -> None:
        if size > limit + tarfile.RECORDSIZE:  # the end is filled up
            raise UserError(
                f"{self._name} unpacks to more than {limit:,} bytes in one piece: it"
                " is not what was published"
            )


def _unpack_member(
    members: tarfile.TarFile, member: tarfile.TarInfo, directory: str
) -> None:
    path = pathlib.PurePosixPath(member.name)
    if path.is_absolute() or ".." in path.parts:
        raise UserError(f"the archive's member {member.name!r} lies outside its folder")
    if member.isdir():
        return
    is_plain = member.isreg() and not member.issparse()
    content = members.extractfile(member) if is_plain else None
    if content is None:
        raise UserError(f"the archive's member {member.name!r} is not a regular file")
    target = pathlib.Path(directory, path)
    target.parent.mkdir(parents=True, exist_ok=True)
    with content, open(target, "xb") as file:
        shutil.copyfileobj(content, file)
