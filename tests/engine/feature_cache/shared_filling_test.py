"""Several machines fill a cache: all rows once, in order, whoever is missing."""

import json

import numpy as np
import pytest

from cluster.cluster import Cluster
from engine.feature_cache.shared_filling import SharedFilling

NUM_EXAMPLES, VIEWS, BATCH = 7, 2, 2
NUM_ROWS = NUM_EXAMPLES * VIEWS
KINDS = [((NUM_ROWS, 3), np.float32), ((NUM_ROWS,), np.int32)]
FEATURES = np.arange(NUM_ROWS * 3, dtype=np.float32).reshape(-1, 3)
LABELS = np.arange(NUM_ROWS, dtype=np.int32)


def computed(noted):
    """Blocks as `eval_batches` and the net give them; the rows computed are noted."""

    def compute(start, part):
        first_view, first = divmod(start, NUM_EXAMPLES)
        for view in range(first_view, VIEWS):
            begin = first if view == first_view else 0
            for number, row in enumerate(range(begin, NUM_EXAMPLES, BATCH)):
                if number % part[1] == part[0]:
                    at = view * NUM_EXAMPLES + row
                    stop = min(at + BATCH, (view + 1) * NUM_EXAMPLES)
                    noted.append(range(at, stop))
                    yield [FEATURES[at:stop]], LABELS[at:stop]

    return compute


def machine(folder, rank, size, noted):
    return SharedFilling(
        str(folder),
        KINDS,
        computed(noted),
        num_examples=NUM_EXAMPLES,
        batch_size=BATCH,
        cluster=Cluster(rank, size, "a:1"),
        patience_secs=0.05,
    )


def put_together(filling, num_done=0):
    blocks = list(filling.blocks(num_done))
    features = np.concatenate([features for (features,), _ in blocks])
    labels = np.concatenate([labels for _, labels in blocks])
    np.testing.assert_array_equal(features, FEATURES[num_done:])
    np.testing.assert_array_equal(labels, LABELS[num_done:])


@pytest.mark.parametrize("size", [2, 3, 5])
def test_each_block_is_computed_once_and_its_file_removed(tmp_path, size):
    noted: list = []
    for rank in range(1, size):
        machine(tmp_path, rank, size, noted).help()
    put_together(machine(tmp_path, 0, size, noted))
    assert sorted(row for rows in noted for row in rows) == list(range(NUM_ROWS))
    assert not list(tmp_path.iterdir())


def test_blocks_that_do_not_come_are_computed_by_the_chief(tmp_path, caplog):
    machine(tmp_path, 1, 3, []).help()
    noted: list = []
    put_together(machine(tmp_path, 0, 3, noted))
    # One warning, not one for each block.
    assert [
        r.message for r in caplog.records if "no features from machine 2" in r.message
    ]
    assert len([r for r in caplog.records if "no features" in r.message]) == 1


def test_a_restart_with_another_number_of_machines_goes_on(tmp_path):
    machine(tmp_path, 1, 2, []).help()  # of a job whose chief had 4 rows and was killed
    (tmp_path / "progress.json").write_text(json.dumps({"num_done": 4}))
    noted: list = []
    for rank in (1, 2):
        machine(tmp_path, rank, 3, noted).help()
    put_together(machine(tmp_path, 0, 3, noted), num_done=4)


def test_a_cache_that_is_full_needs_nothing(tmp_path):
    (tmp_path / "progress.json").write_text(json.dumps({"num_done": NUM_ROWS}))
    machine(tmp_path, 1, 2, []).help()
    assert [path.name for path in tmp_path.iterdir()] == ["progress.json"]
    assert not list(machine(tmp_path, 0, 2, []).blocks(NUM_ROWS))
