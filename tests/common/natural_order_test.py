"""Numbers in names count as numbers."""

from common.natural_order import natural_key


def test_numbers_are_compared_as_numbers():
    names = ["conv2d", "conv2d_2", "conv2d_10", "dense", "dense_9/a", "dense_10/a"]
    assert sorted(set(names), key=natural_key) == names
