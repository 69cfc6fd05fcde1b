"""What tells a checkpoint from another one, whatever their names."""

from common import storage
from common.atomic_files import sha256


def digest_of(path: str) -> str:
    """The SHA-256 by which the values of a checkpoint are known, in hexadecimal digits.

    Args:
      path: a prefix (V2) or file (V1) that is there.
    """
    index = f"{path}.index"  # of V2; it holds checksums of all values
    return sha256(index if storage.is_file(index) else path)
