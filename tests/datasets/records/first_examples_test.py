"""The first examples of a split: numbers, order, what is not read."""

import dataclasses

import pytest

from datasets import dataset_factory, input_pipeline
from datasets.records.first_examples import first_examples
from errors import UserError
from tests.datasets.training_batches import training_batches


@pytest.fixture
def dataset(dataset_dir):
    """Nine examples in files of 2, 3 and 4; grey value i has the label i % 3."""
    return dataset_factory.get_dataset("numbers", "train", str(dataset_dir))


def photo_and_seed(photo, seed):
    del seed
    return photo.pixels()[:1, :1]


def values(batches):
    """The grey values of the images, in order."""
    return [int(v) for batch in batches for v in batch["image"].numpy()[:, 0, 0, 0]]


def test_the_last_file_is_read_in_part_and_those_behind_not_at_all(dataset):
    cut = first_examples(dataset, 4)
    assert [shard.num_records for shard in cut.shards] == [2, 2]
    assert cut.num_examples == 4
    assert cut.class_counts == (2, 1, 1)
    assert cut.fingerprint not in (dataset.fingerprint, "")
    evaluated = input_pipeline.eval_batches(cut, photo_and_seed, batch_size=2)
    assert values(evaluated) == [0, 1, 2, 3]


@pytest.mark.parametrize("is_balanced", [False, True])
def test_an_epoch_holds_the_first_examples(dataset, is_balanced):
    batches = training_batches(
        *(first_examples(dataset, 6), photo_and_seed),
        batch_size=6,
        seed=1,
        is_balanced=is_balanced,
    )
    first, second = values(batches.take(1)), values(batches.skip(1).take(1))
    assert sorted(first) == sorted(second) == [0, 1, 2, 3, 4, 5]
    assert first != second


def test_skipped_records_do_not_count(dataset):
    last = dataclasses.replace(dataset.shards[2], bad_records=(0, 2))
    shards = (*dataset.shards[:2], last)
    cut = first_examples(dataclasses.replace(dataset, shards=shards, num_examples=7), 6)
    assert (cut.shards[2].num_records, cut.shards[2].bad_records) == (2, (0,))
    evaluated = input_pipeline.eval_batches(cut, photo_and_seed, batch_size=6)
    assert values(evaluated) == [0, 1, 2, 3, 4, 6]


def test_none_or_all_is_the_split_itself(dataset):
    assert first_examples(dataset, 0) is first_examples(dataset, 9) is dataset


def test_more_than_there_are(dataset):
    with pytest.raises(UserError, match="split 'train' holds only 9 examples"):
        first_examples(dataset, 10)
