"""Batches that two splits share: who comes when, and from where a run resumes."""

import pytest
import tensorflow as tf

from datasets import dataset_factory
from datasets.mixed_in import MixedIn
from tests.datasets.training_batches import training_batches

BATCH_SIZE = 6  # of two clones, of 3 each


@pytest.fixture
def splits(dataset_dir, record, write_records):
    """Nine examples of grey values 0 to 8, and four others of 100 to 103."""
    others = [record(value, value % 3) for value in range(100, 104)]
    path = dataset_dir / "numbers_other_00000-of-00001.tfrecord"
    write_records(path, others)
    train, other = (
        dataset_factory.get_dataset("numbers", name, str(dataset_dir))
        for name in ("train", "other")
    )
    return train, MixedIn(other, number=1, of=3, first_batch=2)


def value_and_seed(photo, seed):
    value = tf.cast(photo.pixels()[0, 0, 0], tf.int64)
    return tf.concat([[value], seed], 0)


def batches(splits, num_batches, start_batch=0):
    """The values and augmentation seeds of each batch: `[6, 3]` int64."""
    dataset, mixed_in = splits
    found = training_batches(
        dataset,
        value_and_seed,
        batch_size=BATCH_SIZE,
        seed=5,
        mixed_in=mixed_in,
        start_batch=start_batch,
    ).take(num_batches)
    return [batch["image"].numpy() for batch in found]


def test_each_clone_has_its_share_from_the_first_batch_on(splits):
    found = [images[:, 0] >= 100 for images in batches(splits, 4)]
    assert not any(found[0])
    assert not any(found[1])
    for is_other in found[2:]:
        assert is_other.tolist() == [False, False, True] * 2


def test_both_splits_go_through_whole_epochs(splits):
    values = [v for images in batches(splits, 11) for v in images[:, 0]]
    train, other = ([v for v in values if (v >= 100) == is_o] for is_o in (False, True))
    assert len(train) == 2 * 6 + 9 * 4
    for at in range(0, 45, 9):
        assert sorted(train[at : at + 9]) == list(range(9))
    for at in range(0, 16, 4):
        assert sorted(other[at : at + 4]) == [100, 101, 102, 103]


def test_no_two_images_are_augmented_alike(splits):
    seeds = [tuple(seed) for images in batches(splits, 11) for seed in images[:, 1:]]
    assert len(set(seeds)) == len(seeds)


@pytest.mark.parametrize("start", [1, 2, 7])
def test_any_batch_can_be_the_first(splits, start):
    whole = batches(splits, start + 3)
    resumed = batches(splits, 3, start_batch=start)
    for expected, images in zip(whole[start:], resumed, strict=True):
        assert images.tolist() == expected.tolist()
