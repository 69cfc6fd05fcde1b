"""What is left out of a split, and that everything else stays exact."""

import itertools
import json
import os
import struct

import numpy as np
import pytest
import tensorflow as tf

from common.atomic_files import sha256
from datasets import dataset_factory, example_schema, input_pipeline
from datasets import dataset_json as dataset_json_module
from datasets.dataset_json import DatasetInfo, ShardInfo, SplitInfo
from datasets.records import bad_records
from errors import UserError
from tests.datasets.training_batches import training_batches

FILES = [f"numbers_train_{shard:05d}-of-00003.tfrecord" for shard in range(3)]
WRONG_KIND = tf.train.Example(
    features=tf.train.Features(
        feature={
            example_schema.LABEL: tf.train.Feature(
                float_list=tf.train.FloatList(value=[1.0])
            )
        }
    )
).SerializeToString()
NO_KEYS = tf.train.Example().SerializeToString()


def preprocess(photo, seed):
    """The grey value of the photo and its augmentation seed."""
    values = [tf.cast(photo.pixels()[0, 0, 0], tf.int64), seed[1]]
    return tf.cast(tf.stack(values), tf.float32)[:, tf.newaxis, tf.newaxis]


@pytest.fixture
def damaged_dir(dataset_dir, write_records, record):
    """Grey values 0 to 8, of which 1, 3, 5, 6 and 8 are damaged, file by file."""
    no_image = example_schema.build_example(b"\xff\xd8\xff no", "jpg", 0, 1, 1, "p.jpg")
    write_records(dataset_dir / FILES[0], [record(0, 0), no_image])
    write_records(dataset_dir / FILES[1], [record(2, 2), record(3, 7), record(4, 1)])
    write_records(
        dataset_dir / FILES[2],
        [b"\xff\xfe no Example", WRONG_KIND, record(7, 1), NO_KEYS],
    )
    return dataset_dir


def describe(directory):
    """Adds dataset.json, which says how many records there were."""
    shards = tuple(
        ShardInfo(
            name, number, os.path.getsize(directory / name), sha256(directory / name)
        )
        for name, number in zip(FILES, (2, 3, 4), strict=True)
    )
    split = SplitInfo(9, (3, 3, 3), shards)
    info = DatasetInfo("numbers", ("zero", "one", "two"), {"train": split})
    dataset_json_module.write(str(directory), info)


def get(directory, most=100, **options):
    return dataset_factory.get_dataset(
        "numbers", "train", str(directory), max_bad_records=most, **options
    )


def values(batches):
    return [
        int(image[0, 0, 0])
        for batch in batches
        for image, used in zip(
            batch["image"], batch.get("mask", itertools.repeat(True)), strict=False
        )
        if used
    ]


def train(dataset, number, **options):
    stream = training_batches(
        dataset, preprocess, **{"batch_size": 2, "seed": 1} | options
    )
    return list(itertools.islice(stream.as_numpy_iterator(), number))


def evaluate(dataset):
    batches = input_pipeline.eval_batches(dataset, preprocess, batch_size=3)
    return list(batches.as_numpy_iterator())


@pytest.mark.parametrize("described", [False, True])
def test_what_is_bad_is_left_out_and_named(damaged_dir, described, caplog):
    if described:
        describe(damaged_dir)
    dataset = get(damaged_dir, 5)
    assert [shard.bad_records for shard in dataset.shards] == [(1,), (1,), (0, 1, 3)]
    assert [shard.num_records for shard in dataset.shards] == [2, 3, 4]
    assert dataset.num_examples == 4
    assert dataset.num_bad_records == 5
    assert dataset.class_counts == (1, 2, 1)
    said = [message for message in caplog.messages if message.startswith("skipped")]
    for line, file, place, reason in zip(
        said,
        (0, 1, 2, 2, 2),
        (1, 1, 0, 1, 3),
        (
            "its image (photo 'p.jpg') cannot be decoded",
            "its label 7 is out of range",
            "it is not a tf.train.Example",
            "'image/class/label' is a float_list, not an int64",
            "it has no 'image/class/label'",
        ),
        strict=True,
    ):
        assert f"{FILES[file]}, record {place} (counted from 0): {reason}" in line


def test_one_too_many_is_named(damaged_dir):
    expected = (
        r"5 records of split 'train' are bad, more than --max_bad_records=2:"
        r" .*00002-of-00003.tfrecord, record 0 \(counted from 0\): it is not"
    )
    with pytest.raises(UserError, match=expected):
        get(damaged_dir, 2)


def test_epochs_hold_every_sound_record_once(damaged_dir, monkeypatch):
    dataset = get(damaged_dir)
    batches = train(dataset, 6)
    assert [sorted(values(batches[i : i + 2])) for i in (0, 2, 4)] == [[0, 2, 4, 7]] * 3
    seeds = sorted(int(i[1, 0, 0]) for batch in batches for i in batch["image"])
    assert seeds == list(range(12))
    for start in (1, 3):
        resumed = train(dataset, 6 - start, start_batch=start)
        assert values(resumed) == values(batches[start:])

    monkeypatch.setattr("datasets.records.record_stream._MEMORY_BYTES", 100)
    from_files = train(dataset, 6)
    assert sorted(values(from_files[:2])) == [0, 2, 4, 7]
    resumed = train(dataset, 3, start_batch=3)
    assert values(resumed) == values(from_files[3:])


def test_evaluation_masks_nothing_but_the_fill(damaged_dir):
    batches = evaluate(get(damaged_dir))
    assert values(batches) == [0, 2, 4, 7]
    places = {
        key: np.concatenate([batch[key] for batch in batches])[:4].tolist()
        for key in ("shard", "record", "label")
    }
    assert places == {
        "shard": [0, 1, 1, 2],
        "record": [0, 0, 2, 2],
        "label": [0, 2, 1, 1],
    }


def test_the_labels_offset_makes_a_label_bad(dataset_dir):
    dataset = get(dataset_dir, labels_offset=1)
    assert [shard.bad_records for shard in dataset.shards] == [(0,), (1,), (1,)]
    assert dataset.class_counts == (0, 3, 3)
    assert get(dataset_dir).num_bad_records == 0


def break_at(path, place, offset, value):
    """Changes a byte of a record, or with no value ends the file there."""
    data = bytearray(path.read_bytes())
    at = 0
    for _ in range(place):
        at += 16 + struct.unpack_from("<Q", data, at)[0]
    if value is None:
        del data[at + offset :]
    else:
        data[at + offset] ^= value
    path.write_bytes(data)


@pytest.mark.parametrize(
    ("offset", "value", "described", "reason"),
    [
        (0, 1, False, "its checksum does not match"),  # length
        (9, 1, True, "its checksum does not match"),  # the length's checksum
        (40, 1, True, "its checksum does not match"),  # data
        (5, None, False, "the file ends within it"),
        (40, None, True, "the file ends within it"),
    ],
)
def test_what_follows_a_break_is_lost(
    dataset_dir, offset, value, described, reason, caplog
):
    if described:
        describe(dataset_dir)
    break_at(dataset_dir / FILES[2], 1, offset, value)
    dataset = get(dataset_dir)
    # Without dataset.json nobody knows how many there were.
    assert dataset.shards[2].bad_records == ((1, 2, 3) if described else (1,))
    assert f"{FILES[2]}, record 1 (counted from 0): {reason}" in caplog.text
    assert values(evaluate(dataset)) == [0, 1, 2, 3, 4, 5]


def test_files_are_checked_once(damaged_dir, monkeypatch, write_records, record):
    first = get(damaged_dir)
    checked = []
    check = bad_records._check_file

    def spy(shard, *rest):
        checked.append(os.path.basename(shard.path))
        return check(shard, *rest)

    monkeypatch.setattr(bad_records, "_check_file", spy)
    assert get(damaged_dir) == first
    assert checked == []
    write_records(damaged_dir / FILES[0], [record(0, 0), record(1, 1)])
    assert get(damaged_dir).num_bad_records == 4
    assert checked == FILES[:1]
    side_file = damaged_dir / bad_records.FILENAME
    for damage in ("{", "[]", '{"format_version": 1, "files": {"x": 1}}'):
        side_file.write_text(damage)
        assert get(damaged_dir).num_bad_records == 4
    assert checked == FILES[:1] + FILES * 3
    assert set(json.loads(side_file.read_text())["files"]) == {*FILES, "x"}


def test_no_sound_record_is_an_error(dataset_dir, write_records):
    for name in FILES:
        write_records(dataset_dir / name, [NO_KEYS])
    with pytest.raises(UserError, match="holds no usable record"):
        get(dataset_dir)
