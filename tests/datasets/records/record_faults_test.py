import io
import re
import struct

import pytest
import tensorflow as tf
from PIL import Image

from datasets import example_schema, input_pipeline
from datasets.dataset import Dataset, Shard
from datasets.records import bad_records, record_faults
from tests.datasets.training_batches import training_batches


@pytest.fixture
def dataset(tmp_path, write_records, record):
    """Two files of three sound records each, of two classes."""
    paths = [tmp_path / name for name in ("first", "second")]
    for path in paths:
        write_records(path, [record(value, value % 2) for value in range(3)])
    shards = tuple(Shard(str(path), 3, path.stat().st_size) for path in paths)
    return Dataset("d", "train", str(tmp_path), shards, 6, 2, None, (4, 2))


def example(**features):
    """A serialized example; keyword `label` stands for image/class/label."""
    names = {"encoded": example_schema.ENCODED, "label": example_schema.LABEL}
    built = {}
    for name, value in features.items():
        feature = tf.train.Feature()
        values = value if isinstance(value, list) else [value]
        if isinstance(values[0], bytes):
            feature.bytes_list.value.extend(values)
        elif isinstance(values[0], float):
            feature.float_list.value.extend(values)
        else:
            feature.int64_list.value.extend(values)
        built[names[name]] = feature
    return tf.train.Example(
        features=tf.train.Features(feature=built)
    ).SerializeToString(deterministic=True)


def test_sound_records_have_no_fault(dataset):
    assert record_faults.find_unfit(dataset, 0) is None


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (b"\xff\xfe", "it is not a tf.train.Example"),
        (example(encoded=b"x"), "it has no 'image/class/label'"),
        (example(label=1), "it has no 'image/encoded'"),
        (example(label=1, encoded=b""), "it has no 'image/encoded'"),
        (example(label=2, encoded=b"x"), "its label 2 is out of range, there are 2"),
        (example(label=-1, encoded=b"x"), "its label -1 is out of range"),
        (example(label=1.0, encoded=b"x"), "is a float_list, not an int64"),
        (example(label=[1, 0], encoded=b"x"), "holds 2 labels"),
        (example(label=1, encoded=b"no image"), "its image cannot be decoded: "),
    ],
)
def test_the_bad_record_is_named(dataset, write_records, record, bad, message):
    path = dataset.shards[1].path
    write_records(path, [record(0, 0), bad, record(1, 1)])
    fault = record_faults.find_unfit(dataset, 0) or ""
    assert fault.startswith(f"{path}, record 1 (counted from 0): ")
    assert message in fault


def test_the_photo_is_named_where_it_is_known(dataset, write_records):
    bad = example_schema.build_example(b"\xff\xd8\xff bad", "jpg", 0, 1, 1, "a/b.jpg")
    write_records(dataset.shards[0].path, [bad])
    fault = record_faults.find_unfit(dataset, 0) or ""
    assert "(photo 'a/b.jpg')" in fault


def test_the_offset_narrows_the_range(dataset):
    fault = record_faults.find_unfit(dataset, 1) or ""
    assert "first, record 0" in fault
    assert "label 0 minus --labels_offset=1 is out of range" in fault


def damage(path, record, offset, value=None):
    """Changes a byte of the given record, or cuts the file there."""
    with open(path, "rb+") as file:
        for _ in range(record):
            (length,) = struct.unpack("<Q", file.read(8))
            file.seek(length + 8, 1)
        file.seek(offset, 1)
        if value is None:
            file.truncate()
        else:
            file.write(value)


@pytest.mark.parametrize("place", [0, 2])
@pytest.mark.parametrize(
    ("offset", "value", "reason"),
    [
        (0, b"\xee", "checksum"),  # length
        (9, b"\xee", "checksum"),  # checksum of the length
        (40, b"\xee", "checksum"),  # data
        (5, None, "the file ends within it"),
        (40, None, "the file ends within it"),
    ],
)
def test_damaged_bytes_are_found(dataset, place, offset, value, reason):
    path = dataset.shards[0].path
    damage(path, place, offset, value)
    expected = f"{path}, record {place} (counted from 0): "
    for fault in (
        record_faults.find_unfit(dataset, 0),
        record_faults.find_unreadable([path]),
        record_faults.find_label_fault(dataset, [path]),
    ):
        assert fault is not None
        assert fault.startswith(expected)
        assert reason in fault


def test_what_a_graph_says_last_is_its_reason():
    message = """Graph execution error:

Detected at node while/Timestamp defined at (most recent call last):
  File "train.py", line 8, in <module>

It cannot be called
\t [[{{node while/Timestamp}}]] [Op:__inference_train_steps_5867]"""
    error = tf.errors.FailedPreconditionError(None, None, message)
    assert record_faults.without_nodes(error) == "It cannot be called"


def small_bombs():
    """Images of a few hundred bytes that claim more pixels than their format may have.

    Those that are decoded whole claim what a JPEG may have.
    """
    for file_format, at, form in (
        ("PNG", 16, ">II"),
        ("BMP", 18, "<ii"),
        ("GIF", 6, "<HH"),
    ):
        buffer = io.BytesIO()
        Image.new("L", (4, 4)).save(buffer, file_format)
        content = bytearray(buffer.getvalue())
        struct.pack_into(form, content, at, 12_000, 9_000)
        yield file_format, bytes(content), "108,000,000 pixels, .* but JPEG is 64"
    buffer = io.BytesIO()
    Image.new("RGB", (4, 4)).save(buffer, "JPEG")
    content = bytearray(buffer.getvalue())
    struct.pack_into(">HH", content, content.index(b"\xff\xc0") + 5, 20_000, 20_000)
    yield "JPEG", bytes(content), "400,000,000 pixels, the limit for JPEG is 128"


@pytest.mark.parametrize(
    ("file_format", "bomb", "reason"),
    list(small_bombs()),
    ids=["PNG", "BMP", "GIF", "JPEG"],
)
@pytest.mark.parametrize("training", [False, True])
def test_an_image_too_large_is_refused_by_its_header(
    dataset, write_records, record, file_format, bomb, reason, training
):
    """No decoder sees it: it would take gigabytes first."""
    path = dataset.shards[0].path
    bad = example_schema.build_example(bomb, file_format.lower(), 0, 4, 4, "b.png")
    write_records(path, [record(0, 0), bad, record(2, 0)])

    def preprocess(photo, seed):
        return tf.zeros([1, 1, 3]) + tf.cast(photo.pixels()[0, 0], tf.float32)

    read = (
        training_batches(dataset, preprocess, batch_size=6, seed=0)
        if training
        else input_pipeline.eval_batches(dataset, preprocess, batch_size=2)
    )
    with pytest.raises(tf.errors.InvalidArgumentError, match="too large") as error:
        list(read.take(3))
    said = str(record_faults.explain(dataset, error.value))
    assert said.startswith(
        f"{path}, record 1 (counted from 0): its image (photo 'b.png') has "
    )
    assert re.search(reason, said)
    left = bad_records._check_file(dataset.shards[0], dataset, 0)
    assert left.bad_records == (1,)
