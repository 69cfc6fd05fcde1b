"""Finds the records of a TFRecord file by their lengths alone.

A record is its length (uint64, little-endian), the checksum of the length, as many
bytes, and their checksum. TensorFlow's reader allocates memory for a record before it
knows that the file is long enough, and crashes (SIGSEGV) if a length exceeds all
memory: so lengths are checked here first.
"""

import dataclasses
import struct

import numpy as np

from common import storage

_HEAD_BYTES = 12
_FOOT_BYTES = 4
_POLYNOMIAL = 0x82F63B78  # of CRC-32C, RFC 3720, bits reversed
_COMPRESSIONS = {
    b"\x1f\x8b": "gzip",
    **dict.fromkeys((b"\x78\x01", b"\x78\x5e", b"\x78\x9c", b"\x78\xda"), "zlib"),
}

_REMEDY = "copy or convert the file again"
TRUNCATED = f"the file ends within it; {_REMEDY}"
DAMAGED = f"its checksum does not match; {_REMEDY}"


@dataclasses.dataclass(frozen=True)
class Frames:
    """The records of a file.

    Attributes:
      num_records: number of records before the end or the first break.
      fault: why no whole record follows them; None at the end of the file.
    """

    num_records: int
    fault: str | None


def walk(path: str) -> Frames:
    """Checks the lengths of all records and their checksums, reading nothing else."""
    return _walk(path)[0]


def places(path: str) -> np.ndarray:
    """Offset and length of the data of every whole record, `[records, 2]` int64."""
    return np.array(_walk(path)[1], np.int64).reshape(-1, 2)


def _walk(path: str) -> tuple[Frames, list[tuple[int, int]]]:
    """The records, with offset and length of the data of each."""
    found: list[tuple[int, int]] = []
    size = storage.size(path)
    at = 0
    with storage.open_bytes(path, buffering=0) as file:
        while at < size:
            file.seek(at)
            head = file.read(_HEAD_BYTES)
            if len(head) < _HEAD_BYTES:
                return Frames(len(found), TRUNCATED), found
            length = int.from_bytes(head[:8], "little")
            left = size - at - _HEAD_BYTES - _FOOT_BYTES
            if struct.unpack("<I", head[8:])[0] != _masked_crc(head[:8]):
                kind = _COMPRESSIONS.get(head[:2]) if at == 0 else None
                fault = _compressed(kind) if kind else DAMAGED
                return Frames(len(found), fault), found
            if length > left:
                return Frames(len(found), _too_long(length, left)), found
            found.append((at + _HEAD_BYTES, length))
            at += _HEAD_BYTES + length + _FOOT_BYTES
    return Frames(len(found), None), found


def describe_break(path: str, frames: Frames) -> str:
    """Describes a break: "FILE, record N (counted from 0): REASON"."""
    return f"{path}, record {frames.num_records} (counted from 0): {frames.fault}"


def _compressed(kind: str) -> str:
    return f"the file is compressed ({kind}), which is not supported: decompress it"


def _too_long(length: int, left: int) -> str:
    what = f"its length says {length:,} bytes, but {max(left, 0):,} are left"
    return f"the file ends within it ({what}); {_REMEDY}"


def _masked_crc(data: bytes) -> int:
    """The masked CRC-32C of TFRecord files, see TensorFlow's core/lib/hash/crc32c.h."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc = crc >> 8 ^ _CRC_OF_BYTE[(crc ^ byte) & 0xFF]
    crc ^= 0xFFFFFFFF
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def _crc_of_byte(crc: int) -> int:
    for _ in range(8):
        crc = crc >> 1 ^ (_POLYNOMIAL if crc & 1 else 0)
    return crc


_CRC_OF_BYTE = tuple(map(_crc_of_byte, range(256)))
