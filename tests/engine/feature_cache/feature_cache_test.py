"""Training on cached features is the same training."""

import collections
import json
import os
import pathlib
import shutil

import numpy as np
import pytest
import tensorflow as tf

from engine.feature_cache import cached_training, free_memory
from engine.feature_cache.feature_cache import FeatureCache
from engine.feature_cache.split_network import SplitNetwork
from errors import UserError
from tests.engine import coloured_images, small_runs

BFLOAT16 = {"precision": "mixed_bfloat16"}
SCOPES = ["head", "Tiny/Conv2d_2,head", "Tiny/Conv2d_2"]


def train(train_dir, images_dir, **flags):
    """Five steps; returns every variable, and the evaluations."""
    flags = {
        "dataset_dir": images_dir,
        "train_dir": train_dir,
        "trainable_scopes": "head",
        "max_number_of_steps": 5,
        "optimizer": "adam",
        "opt_epsilon": 0.01,
        "moving_average_decay": 0.9,
        "eval_split_name": "validation",
        "eval_every_n_steps": 2,
    } | flags
    assert small_runs.train(**flags) == 0
    step = flags["max_number_of_steps"]
    with open(pathlib.Path(train_dir) / "best" / "evaluations.json") as file:
        return small_runs.read_all(train_dir, step), json.load(file)


def assert_same_run(one, other):
    assert one[0].keys() == other[0].keys()
    for name, value in one[0].items():
        np.testing.assert_allclose(
            other[0][name], value, rtol=1e-4, atol=1e-5, err_msg=name
        )
    for score, other_score in zip(one[1], other[1], strict=True):
        for key in ("step", "accuracy", "loss"):
            assert other_score[key] == pytest.approx(score[key], rel=1e-4)


@pytest.mark.parametrize("scopes", SCOPES)
@pytest.mark.parametrize("views", [1, 2])
def test_cached_training_is_the_same_training(tmp_path, images_dir, scopes, views):
    flags = {"trainable_scopes": scopes, "feature_cache_views": views}
    without = train(tmp_path / "off", images_dir, **flags)
    cached = train(tmp_path / "on", images_dir, **flags, feature_cache="memory")
    assert_same_run(without, cached)


def test_a_cache_on_disk_is_shared_and_a_resumed_run_is_the_same(tmp_path, images_dir):
    flags = {"feature_cache": "disk", "feature_cache_dir": str(tmp_path / "features")}
    whole = train(tmp_path / "whole", images_dir, **flags)
    caches = sorted((tmp_path / "features").iterdir())
    assert len(caches) == 2  # of the training and the validation split
    train(tmp_path / "halves", images_dir, max_number_of_steps=3, **flags)
    halves = train(tmp_path / "halves", images_dir, **flags)
    assert_same_run((whole[0], []), (halves[0], []))
    assert sorted((tmp_path / "features").iterdir()) == caches


@pytest.mark.parametrize(
    ("batch_size", "first", "again"), [(4, [4, 16], [4]), (16, [16], [16])]
)
def test_small_batches_are_filled_by_larger_ones(
    tmp_path, images_dir, monkeypatch, batch_size, first, again
):
    traced = []

    class Recorded(SplitNetwork):
        def __init__(self, *args, **kwargs):
            traced.append(kwargs["batch_size"])
            super().__init__(*args, **kwargs)

    monkeypatch.setattr(cached_training, "SplitNetwork", Recorded)
    flags = {"feature_cache": "disk", "feature_cache_dir": str(tmp_path / "features")}
    for number, sizes in enumerate((first, again)):
        traced.clear()
        train(tmp_path / str(number), images_dir, batch_size=batch_size, **flags)
        assert traced == 2 * sizes  # of the training and the validation split


def test_a_run_with_bad_records_is_the_run_without_them(tmp_path, images_dir):
    colours = small_runs.COLOURS
    bad = tmp_path / "bad"
    for split, good in (("train", colours), ("validation", colours[:5])):
        labels = [*good[:3], 7, *good[3:], 9]
        coloured_images.write_split(bad, split, [*good[:3], 0, *good[3:], 0], labels)
    flags = {"feature_cache": "memory"}
    without = train(tmp_path / "without", images_dir, **flags)
    with_bad = train(tmp_path / "with", bad, max_bad_records=2, **flags)
    assert_same_run(without, with_bad)


def test_other_weights_or_data_are_another_cache(tmp_path, images_dir):
    folder = tmp_path / "features"
    flags = {"feature_cache": "disk", "feature_cache_dir": str(folder)}
    train(tmp_path / "a", images_dir, **flags)
    before = set(folder.iterdir())
    train(tmp_path / "b", images_dir, learning_rate=0.5, **flags)
    assert set(folder.iterdir()) == before
    train(tmp_path / "c", images_dir, seed=1, **flags)  # other fresh frozen weights
    assert len(set(folder.iterdir()) - before) == 2
    for name, other in (("d", {"train_image_size": 20}), ("e", BFLOAT16)):
        before = set(folder.iterdir())
        train(tmp_path / name, images_dir, **other, **flags)
        assert len(set(folder.iterdir()) - before) == 2


def test_a_killed_fill_continues_where_it_was(tmp_path):
    def open_cache():
        return FeatureCache(
            str(tmp_path / "key"), num_rows=5, shapes=[(2,), ()], dtype=tf.float32
        )

    def batches(start):
        for first in range(start, 5, 2):
            rows = np.arange(first, min(first + 2, 5))
            yield [np.stack([rows, -rows], 1), rows * 0.5], rows * 10

    def broken(start):
        for number, batch in enumerate(batches(start)):
            if number == 2:
                raise KeyboardInterrupt
            yield batch

    cache = open_cache()
    with pytest.raises(KeyboardInterrupt):
        cache.fill(broken, 2)
    starts = []

    def rest(start):
        starts.append(start)
        return batches(start)

    cache = open_cache()
    cache.fill(rest, 2)
    assert starts == [4]
    (pairs, halves), labels = cache.rows(tf.constant([4, 0], tf.int64))
    np.testing.assert_array_equal(pairs, [[4, -4], [0, 0]])
    np.testing.assert_array_equal(halves, [2.0, 0.0])
    np.testing.assert_array_equal(labels, [40, 0])
    # A full cache is never filled again.
    open_cache().fill(lambda start: pytest.fail("filled again"), 2)


def test_a_damaged_cache_trains_as_a_whole_one(tmp_path, images_dir, caplog):
    folder = tmp_path / "features"
    flags = {"feature_cache": "disk", "feature_cache_dir": str(folder)}
    whole = train(tmp_path / "whole", images_dir, **flags)
    for cache in folder.iterdir():
        (cache / "0.bin").unlink()
        content = (cache / "1.bin").read_bytes()
        (cache / "1.bin").write_bytes(bytes(len(content)))
    again = train(tmp_path / "again", images_dir, **flags)
    for name, value in whole[0].items():
        np.testing.assert_array_equal(again[0][name], value, err_msg=name)
    assert caplog.text.count("recomputing all features") == 2


def test_a_relabelled_photo_is_trained_with_its_new_label(tmp_path, images_dir):
    colours = small_runs.COLOURS
    flags = {"feature_cache": "disk", "feature_cache_dir": str(tmp_path / "features")}
    data = shutil.copytree(images_dir, tmp_path / "data")
    before = train(tmp_path / "before", data, **flags)
    labels = [*colours[:-1], (colours[-1] + 1) % 3]
    coloured_images.write_split(data, "train", colours, labels)
    after = train(tmp_path / "after", data, **flags)
    without = train(tmp_path / "without", data, feature_cache_views=1)
    assert_same_run(without, after)
    name = next(name for name in after[0] if name.endswith("Logits/biases"))
    assert not np.array_equal(after[0][name], before[0][name])


def test_a_second_run_is_told_who_fills_the_cache(tmp_path):
    def open_cache():
        return FeatureCache(
            str(tmp_path / "key"), num_rows=5, shapes=[()], dtype=tf.float32
        )

    def batches(start):
        with pytest.raises(UserError, match="is being filled by process") as error:
            open_cache().fill(batches, 5)
        assert f"process {os.getpid()}" in str(error.value)
        assert "train_dir" not in str(error.value)
        yield [np.zeros(5)], np.zeros(5)

    open_cache().fill(batches, 5)


@pytest.mark.parametrize("folder", [None, "key"])
def test_a_cache_larger_than_the_room_is_refused(tmp_path, monkeypatch, folder):
    def open_cache(num_rows):
        return FeatureCache(
            str(tmp_path / folder) if folder else None,
            num_rows=num_rows,
            shapes=[(1000,)],
            dtype=tf.float32,
        )

    room = 10 * (4 * 1000 + 4)
    usage = collections.namedtuple("usage", "free")
    monkeypatch.setattr(free_memory, "available_bytes", lambda: room)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(room))
    open_cache(10)
    message = r"of 0 MB cannot be kept in .*\(0 MB are free\): use (--f|another)"
    with pytest.raises(UserError, match=message):
        open_cache(11)
    assert not folder or not list((tmp_path / folder).iterdir())


def test_bfloat16_halves_the_room(tmp_path):
    cache = FeatureCache(
        str(tmp_path / "key"), num_rows=3, shapes=[(4,)], dtype=tf.bfloat16
    )
    rows = np.array([[1.0, 1.00390625, -2.5, 3.14159]] * 3, np.float32)
    cache.fill(lambda start: [([rows], np.arange(3))], 3)
    (found,), _ = cache.rows(tf.constant([1], tf.int64))
    assert found.dtype == tf.float32
    np.testing.assert_allclose(found[0], rows[0], rtol=2**-8)
    assert (tmp_path / "key" / "0.bin").stat().st_size == 3 * 4 * 2


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match=r"a feature cache of .* cannot be kept"):
        FeatureCache(
            str(tmp_path / "file" / "key"), num_rows=1, shapes=[()], dtype=tf.float32
        )


def test_the_plan_tells_what_is_cached(tmp_path, images_dir, capsys):
    small_runs.train(
        dataset_dir=images_dir,
        train_dir=tmp_path / "run",
        trainable_scopes="head",
        feature_cache="memory",
        feature_cache_views=3,
        dry_run=True,
    )
    line = next(t for t in capsys.readouterr().out.splitlines() if "feature cache" in t)
    # Means of Conv2d_1 and Conv2d_2, 4 and 6 values of 4 bytes; 12 images.
    assert "1×1×4, 1×1×6 = 0.0 kB per image × 3 views, 0.0 MB in total" in line
    assert not (tmp_path / "run").exists()


def test_nothing_frozen_is_an_error(tmp_path, images_dir):
    with pytest.raises(UserError, match="nothing to keep"):
        train(tmp_path, images_dir, trainable_scopes=None, feature_cache="memory")


def test_views_default_to_one():
    assert cached_training.num_views(small_runs.make_config(dataset_dir="x")) == 1
