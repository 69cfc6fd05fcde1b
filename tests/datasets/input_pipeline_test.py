import collections
import itertools
import logging
import pathlib

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from datasets import dataset_factory, example_schema, input_pipeline
from datasets.records import record_faults, record_stream, skip_timer
from errors import UserError
from tests.datasets.training_batches import training_batches


def preprocess(photo, seed):
    """The grey value of the photo, and the seed, as an image of three pixels."""
    values = [tf.cast(photo.pixels()[0, 0, 0], tf.int64), seed[0], seed[1]]
    return tf.cast(tf.stack(values), tf.float32)[:, tf.newaxis, tf.newaxis]


@pytest.fixture
def numbers(dataset_dir):
    """Nine records in three files; grey value i has the label i % 3."""
    return dataset_factory.get_dataset("numbers", "train", str(dataset_dir))


@pytest.fixture(params=["memory", "files", "index"])
def train(request, monkeypatch):
    """Training batches, from memory and in both ways for a dataset that exceeds it."""
    if request.param != "memory":
        monkeypatch.setattr(record_stream, "_MEMORY_BYTES", 600)

    def batches(dataset, number, **options):
        options = {"batch_size": 2, "seed": 1} | options
        options["shuffles_whole"] = request.param == "index"
        stream = training_batches(dataset, preprocess, **options)
        return list(itertools.islice(stream.as_numpy_iterator(), number))

    return batches


def values(batches):
    return [int(value) for batch in batches for value in batch["image"][:, 0, 0, 0]]


def assert_equal(first, second):
    for one, two in zip(first, second, strict=True):
        np.testing.assert_array_equal(one["image"], two["image"])
        np.testing.assert_array_equal(one["label"], two["label"])


def test_every_epoch_holds_each_example_once(numbers, train):
    seen = values(train(numbers, 9, batch_size=3))
    epochs = [seen[start : start + 9] for start in (0, 9, 18)]
    assert [sorted(epoch) for epoch in epochs] == [list(range(9))] * 3
    assert len({tuple(epoch) for epoch in epochs}) == 3


def test_the_parts_of_a_batch_are_the_batch(numbers, train):
    options = {"batch_size": 6, "start_batch": 1}
    batches = train(numbers, 4, **options)
    parts = [train(numbers, 4, **options, part=(k, 3)) for k in range(3)]
    for batch, *of_machines in zip(batches, *parts, strict=True):
        together = {
            name: np.concatenate([part[name] for part in of_machines]) for name in batch
        }
        assert_equal([batch], [together])


def test_by_index_the_order_is_that_from_memory(numbers, monkeypatch):
    def order(**options):
        stream = training_batches(
            *(numbers, preprocess), batch_size=3, seed=4, start_batch=2, **options
        )
        return values(itertools.islice(stream.as_numpy_iterator(), 5))

    from_memory = order()
    monkeypatch.setattr(record_stream, "_MEMORY_BYTES", 600)
    assert order(shuffles_whole=True) == from_memory
    assert order() != from_memory


def test_the_parts_of_an_evaluation_are_its_batches(numbers):
    def batches(**options):
        stream = input_pipeline.eval_batches(
            numbers, preprocess, batch_size=2, **options
        )
        found = list(stream.as_numpy_iterator())
        assert int(stream.cardinality()) == len(found)
        return found

    whole = batches()
    parts = [batches(part=(k, 2)) for k in range(2)]
    assert [len(part) for part in parts] == [3, 2]
    for number, batch in enumerate(whole):
        assert_equal([batch], [parts[number % 2][number // 2]])


def test_epochs_follow_without_a_seam(numbers, train):
    batches = train(numbers, 9, batch_size=2)
    assert sorted(values(batches)) == sorted([*range(9), *range(9)])
    assert {batch["image"].shape for batch in batches} == {(2, 3, 1, 1)}


def test_labels_stay_with_their_images(numbers, train):
    for batch in train(numbers, 5):
        assert batch["label"].dtype == np.int32
        np.testing.assert_array_equal(batch["label"], batch["image"][:, 0, 0, 0] % 3)


def test_the_seed_decides_the_order(numbers, train):
    first = train(numbers, 6, seed=1)
    assert_equal(first, train(numbers, 6, seed=1))
    assert values(first) != values(train(numbers, 6, seed=2))


@pytest.mark.parametrize("global_seed", [0, 3])
def test_the_global_seed_changes_nothing(numbers, train, global_seed):
    first = train(numbers, 6)
    tf.random.set_seed(global_seed)
    try:
        assert_equal(first, train(numbers, 6))
    finally:
        tf.random.set_seed(None)


def test_readers_and_threads_change_nothing(numbers, train):
    first = train(numbers, 6, num_readers=1, num_threads=1)
    assert_equal(first, train(numbers, 6, num_readers=16, num_threads=-1))


@pytest.mark.parametrize(("start", "skipped"), [(5, 1), (9, 0), (23, 1)])
def test_a_start_further_on_is_the_same_stream(
    numbers, train, start, skipped, caplog, monkeypatch
):
    monkeypatch.setattr(skip_timer, "_SECS_TO_TELL", 0.0)
    caplog.set_level(logging.INFO, logger="absl")
    whole = train(numbers, start + 4)
    assert "skipping the" not in caplog.text
    assert_equal(whole[start:], train(numbers, 4, start_batch=start))
    said = f"skipping the {2 * start % 9} images that this epoch has already used"
    assert caplog.text.count(said) == skipped


def test_a_batch_may_exceed_the_dataset(numbers, train):
    batches = train(numbers, 2, batch_size=20)
    counts = collections.Counter(values(batches[:1]))
    assert sum(counts.values()) == 20
    assert set(counts.values()) <= {2, 3}
    assert_equal(batches[1:], train(numbers, 1, batch_size=20, start_batch=1))


def test_augmentation_seeds_are_all_different(numbers, train):
    seeds = [
        tuple(pixel[1:, 0, 0])
        for batch in train(numbers, 18, seed=7)
        for pixel in batch["image"]
    ]
    assert sorted(seeds) == [(7, place) for place in range(36)]


def test_balanced_batches_hold_each_class_as_often_and_start_anywhere(
    write_records, record, tmp_path, train
):
    write_records(
        tmp_path / "d_train.tfrecord", [record(v, int(v > 6)) for v in range(9)]
    )
    (tmp_path / "labels.txt").write_text("0:many\n1:few\n")
    dataset = dataset_factory.get_dataset("d", "train", str(tmp_path))
    options = {"batch_size": 6, "seed": 7, "is_balanced": True}
    batches = train(dataset, 6, **options)
    assert [list(np.bincount(batch["label"])) for batch in batches] == [[3, 3]] * 6
    rare = [value for value in values(batches) if value > 6]
    assert sorted(rare) == [7] * 9 + [8] * 9
    pixels = np.concatenate([batch["image"] for batch in batches])
    assert len({tuple(p[1:, 0, 0]) for p in pixels}) == 36  # no augmentation twice
    assert_equal(train(dataset, 3, start_batch=3, **options), batches[3:])
    (of_one_view,) = train(dataset, 1, num_views=1, **options | {"batch_size": 18})
    assert len({tuple(p[1:, 0, 0]) for p in of_one_view["image"]}) == 9


def test_views_come_in_turn(numbers, train):
    batches = train(numbers, 18, batch_size=9, seed=7, num_views=2)
    by_epoch = [sorted(tuple(p[1:, 0, 0]) for p in b["image"]) for b in batches[:4]]
    assert by_epoch[0] == [(7, place) for place in range(9)]
    assert by_epoch[1] == [(7, 9 + place) for place in range(9)]
    assert by_epoch[2:] == by_epoch[:2]


def test_evaluation_gives_the_views_that_training_takes(numbers, train):
    (epoch,) = train(numbers, 2, batch_size=9, seed=7)[1:]
    in_training = {int(p[0, 0, 0]): tuple(p[1:, 0, 0]) for p in epoch["image"]}
    (batch,) = evaluate(numbers, batch_size=9, seed=7, view=1)
    assert {int(p[0, 0, 0]): tuple(p[1:, 0, 0]) for p in batch["image"]} == in_training


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 2**31), st.integers(0, 10**6), st.integers(1, 10**6), st.data())
def test_seeds_do_not_meet(seed, epoch, num_examples, data):
    position = data.draw(st.integers(0, num_examples - 1))
    augmentation = input_pipeline.augmentation_seed(seed, epoch, position, num_examples)
    assert augmentation.numpy().tolist() == [seed, epoch * num_examples + position]
    order = record_stream.shuffle_seed(seed, epoch)
    assert order.numpy().tolist() == [seed, -1 - epoch]


@pytest.mark.parametrize("make", [training_batches, input_pipeline.eval_batches])
def test_no_iterator_waits_for_an_autotuner(numbers, make):
    options = make(numbers, preprocess, batch_size=2, seed=1).options()
    assert options.autotune.enabled is False
    assert options.deterministic is True


def test_an_offset_lowers_the_labels(write_records, record, tmp_path):
    write_records(
        tmp_path / "d_train.tfrecord", [record(v, 1 + v % 2) for v in range(4)]
    )
    (tmp_path / "labels.txt").write_text("0:background\n1:a\n2:b\n")
    dataset = dataset_factory.get_dataset("d", "train", str(tmp_path))
    (batch,) = training_batches(
        dataset, preprocess, batch_size=4, seed=0, labels_offset=1
    ).take(1)
    np.testing.assert_array_equal(batch["label"], batch["image"][:, 0, 0, 0] % 2)


def evaluate(dataset, **options):
    options = {"batch_size": 4} | options
    batches = input_pipeline.eval_batches(dataset, preprocess, **options)
    return list(batches.as_numpy_iterator())


@pytest.mark.parametrize("batch_size", [1, 4, 9, 20])
def test_evaluation_reads_each_image_once(numbers, batch_size):
    batches = evaluate(numbers, batch_size=batch_size)
    assert len(batches) == -(-9 // batch_size)
    assert {batch["image"].shape for batch in batches} == {(batch_size, 3, 1, 1)}
    joined = {key: np.concatenate([b[key] for b in batches]) for key in batches[0]}
    mask = joined["mask"]
    assert mask.tolist() == [True] * 9 + [False] * (len(mask) - 9)
    assert joined["image"][mask][:, 0, 0, 0].tolist() == list(range(9))
    assert joined["label"][mask].tolist() == [0, 1, 2] * 3
    assert joined["shard"][mask].tolist() == [0, 0, 1, 1, 1, 2, 2, 2, 2]
    assert joined["record"][mask].tolist() == [0, 1, 0, 1, 2, 0, 1, 2, 3]
    assert not joined["image"][~mask].any()
    seeds = joined["image"][mask][:, 1:, 0, 0].tolist()
    assert seeds == [[0, place] for place in range(9)]


def test_evaluation_knows_its_length(numbers):
    batches = input_pipeline.eval_batches(numbers, preprocess, batch_size=4)
    assert batches.cardinality().numpy() == 3


def consume(dataset, kind, **options):
    """Reads a dataset whole, as training or evaluation does."""
    try:
        if kind == "eval":
            return evaluate(dataset, **options)
        stream = training_batches(dataset, preprocess, batch_size=1, seed=0, **options)
        return list(stream.take(dataset.num_examples))
    except record_faults.READ_ERRORS as error:
        raise record_faults.explain(dataset, error, **options) from error


@pytest.mark.parametrize("kind", ["train", "eval"])
@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ("label", "its label 3 is out of range, there are 3 classes"),
        ("image", r"its image \(photo 'a/b.jpg'\) cannot be decoded"),
        ("flip", "its checksum does not match"),
        ("cut", "the file ends within it"),
    ],
)
def test_the_bad_record_is_named(numbers, write_records, record, kind, bad, message):
    path = numbers.shards[1].path
    records = [record(value, value % 3) for value in (2, 3, 4)]
    if bad == "label":
        records[1] = record(3, 3)
    if bad == "image":
        records[1] = example_schema.build_example(
            b"\xff\xd8\xff", "", 0, 1, 1, "a/b.jpg"
        )
    write_records(path, records)
    data = bytearray(pathlib.Path(path).read_bytes())
    second = 16 + len(records[0]) + 12 + 20  # into the data of record 1
    if bad == "flip":
        data[second] ^= 1
    pathlib.Path(path).write_bytes(data[:second] if bad == "cut" else data)
    with pytest.raises(UserError, match=f"{path}, record 1 .*: {message}"):
        consume(numbers, kind)


@pytest.mark.parametrize("kind", ["train", "eval"])
def test_an_offset_above_a_label_is_named(numbers, kind):
    with pytest.raises(UserError, match=r"record 0 .*0 minus --labels_offset=1 is out"):
        consume(numbers, kind, labels_offset=1)


@pytest.mark.parametrize("num_records", [4, 5, 20])
def test_a_file_that_grew_is_noticed(numbers, write_records, record, num_records):
    write_records(numbers.shards[0].path, [record(0, 0)] * num_records)
    with pytest.raises(UserError, match=r"holds 10 records .* where 9 were counted"):
        consume(numbers, "train")


def test_files_that_changed_are_noticed(numbers, write_records, record):
    write_records(numbers.shards[0].path, [record(0, 0)])
    with pytest.raises(UserError, match=r"holds 8 records .* where 9 were counted"):
        consume(numbers, "train")
    with pytest.raises(UserError, match="every record of split 'train' is valid"):
        consume(numbers, "eval")


@given(st.integers(1, 10_000), st.integers(1, 500))
def test_even_batches_are_as_few_and_padded_as_little_as_can_be(num_examples, most):
    size = input_pipeline.even_batch_size(num_examples, most)
    num_batches = -(-num_examples // size)
    assert size <= most
    assert num_batches == -(-num_examples // most)
    assert num_batches * (size - 1) < num_examples


def test_even_batches_of_known_sizes():
    assert input_pipeline.even_batch_size(240, 100) == 80
    assert input_pipeline.even_batch_size(60, 100) == 60
    assert input_pipeline.even_batch_size(200, 100) == 100
    assert input_pipeline.even_batch_size(101, 100) == 51
