"""Lengths of records, sound and hostile, before TensorFlow's reader meets them."""

import gzip
import struct
import zlib

import pytest
import tensorflow as tf
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from datasets.records import record_frames
from datasets.records.record_frames import DAMAGED, TRUNCATED, Frames

masked_crc = record_frames._masked_crc
KEEPS_TMP_PATH = [HealthCheck.function_scoped_fixture]


def frame(data: bytes, length: int | None = None) -> bytes:
    """A record, which may claim another length, with the right checksums."""
    head = struct.pack("<Q", len(data) if length is None else length)
    sums = [struct.pack("<I", masked_crc(part)) for part in (head, data)]
    return head + sums[0] + data + sums[1]


def test_the_checksum_is_tensorflows(tmp_path):
    path = tmp_path / "a"
    with tf.io.TFRecordWriter(str(path)) as writer:
        writer.write(b"123456789")
    assert path.read_bytes() == frame(b"123456789")
    # RFC 3720, B.4: the checksum of 32 zeros, masked as TensorFlow does.
    rotated = (0x8A9136AA >> 15 | 0x8A9136AA << 17) & 0xFFFFFFFF
    assert masked_crc(bytes(32)) == (rotated + 0xA282EAD8) & 0xFFFFFFFF


@pytest.mark.parametrize("sizes", [(), (0,), (5, 0, 3000)])
def test_a_sound_file(tmp_path, sizes):
    (tmp_path / "a").write_bytes(b"".join(frame(b"x" * size) for size in sizes))
    assert record_frames.walk(str(tmp_path / "a")) == Frames(len(sizes), None)


@pytest.mark.parametrize("length", [1 << 40, 1 << 63, (1 << 64) - 1, 10, 7])
@pytest.mark.parametrize("before", [0, 2])
def test_a_length_beyond_the_end(tmp_path, length, before):
    content = frame(b"ok") * before + frame(b"123456", length)
    (tmp_path / "a").write_bytes(content)
    frames = record_frames.walk(str(tmp_path / "a"))
    assert frames.num_records == before
    assert f"its length says {length:,} bytes, but 6 are left" in (frames.fault or "")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (gzip.compress(frame(b"x"), mtime=0), "gzip"),
        *((zlib.compress(frame(b"x"), level), "zlib") for level in (1, 6, 9)),
        (b"this is no TFRecord at all", DAMAGED),
        (frame(b"x")[:11], TRUNCATED),
        (frame(b"x")[:12], "the file ends within it"),
        (frame(b"x")[:-1], "the file ends within it"),
        (b"\x01" + frame(b"x")[1:8] + bytes(4) + frame(b"x")[12:], DAMAGED),
    ],
)
def test_what_is_no_whole_record(tmp_path, content, said):
    (tmp_path / "a").write_bytes(content)
    frames = record_frames.walk(str(tmp_path / "a"))
    assert frames.num_records == 0
    assert said in (frames.fault or "")
    assert record_frames.describe_break("a", frames) == (
        f"a, record 0 (counted from 0): {frames.fault}"
    )


@settings(deadline=None, max_examples=30, suppress_health_check=KEEPS_TMP_PATH)
@given(st.lists(st.binary(max_size=9), max_size=4), st.data())
def test_where_the_lengths_add_up_tensorflow_reads_as_many(tmp_path, records, data):
    content = bytearray(b"".join(map(frame, records)))
    for _ in range(data.draw(st.integers(0, 2))):
        if content:
            at = data.draw(st.integers(0, len(content) - 1))
            content[at] ^= 1 << data.draw(st.integers(0, 7))
    del content[data.draw(st.integers(0, len(content))) :]
    path = tmp_path / "a"
    path.write_bytes(content)
    frames = record_frames.walk(str(path))
    read = 0
    try:
        for _ in tf.data.TFRecordDataset(str(path)):
            read += 1
    except tf.errors.DataLossError:
        assert read <= frames.num_records
    else:
        assert read == frames.num_records
