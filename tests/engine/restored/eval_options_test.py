"""Batches of an evaluation are even, unless the command line counts them."""

import pytest

from config.eval_config import EvalOptions
from engine.restored import eval_options


@pytest.mark.parametrize(("max_num_batches", "size"), [(None, 80), (0, 80), (2, 100)])
def test_batches_are_even_unless_they_are_counted(max_num_batches, size):
    options = EvalOptions(checkpoint_path="x", max_num_batches=max_num_batches)
    assert eval_options.batch_size(options, 240) == size
