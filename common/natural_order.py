"""Names in the order that people give them: Mixed_10 after Mixed_9."""

import re


def natural_key(name: str) -> list[tuple[int, str]]:
    """A sorting key by which numbers in names count as numbers."""
    parts = re.split(r"(\d+)", name)
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in parts]
