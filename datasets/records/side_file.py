"""What was found out about TFRecord files, kept beside them for the next time.

An entry holds for a file as long as that is the same.
"""

import json
from collections.abc import Mapping
from typing import Any

from absl import logging

from common.atomic_files import atomic_write


def read(path: str, format_version: int) -> dict[str, Any]:
    """What the side file remembers, by name; nothing if it is absent or not ours."""
    try:
        with open(path, encoding="utf-8") as file:
            content = json.load(file)
        known = content["format_version"] == format_version
        return dict(content["files"]) if known else {}
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def write(path: str, format_version: int, entries: Mapping[str, Any]) -> None:
    """Writes the side file; where that cannot be done the log says so."""
    content = {"format_version": format_version, "files": dict(sorted(entries.items()))}
    try:
        with atomic_write(path, "w") as file:
            json.dump(content, file, indent=1)
            file.write("\n")
    except OSError as error:
        logging.info(
            "%s cannot be written (%s): records will be read anew next time",
            *(path, error.strerror),
        )
