"""Facts about TFRecord files, kept in a file next to them for the next time.

An entry is valid as long as its file is unchanged.
"""

import json
from collections.abc import Mapping
from typing import Any

from absl import logging

from common import storage
from common.atomic_files import atomic_write


def read(path: str, format_version: int) -> dict[str, Any]:
    """The entries of the side file by file name; none if it is missing or not ours."""
    try:
        with storage.open_text(path) as file:
            content = json.load(file)
        known = content["format_version"] == format_version
        return dict(content["files"]) if known else {}
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def write(path: str, format_version: int, entries: Mapping[str, Any]) -> None:
    """Writes the side file; a failure is logged."""
    content = {"format_version": format_version, "files": dict(sorted(entries.items()))}
    try:
        with atomic_write(path, "w") as file:
            json.dump(content, file, indent=1)
            file.write("\n")
    except OSError as error:
        logging.info(
            "%s cannot be written (%s): records will be read again next time",
            *(path, error.strerror),
        )
