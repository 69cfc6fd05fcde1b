"""Features on their way to a NumPy archive."""

import tracemalloc

import numpy as np
import pytest

from engine.prediction import feature_file


def rows(number, width=3):
    for i in range(number):
        features = {"a": np.full((2, width), i, np.float32), "b": np.array(i, np.int32)}
        yield f"photo {'x' * i}\udcff.jpg", features


def test_rows_come_back(tmp_path):
    path = tmp_path / "out.npz"
    assert feature_file.write(str(path), rows(5)) == 5
    with np.load(path) as arrays:
        assert set(arrays) == {"names", "a", "b"}
        assert arrays["names"].tolist() == [name for name, _ in rows(5)]
        assert arrays["a"].shape == (5, 2, 3)
        assert arrays["a"].dtype == np.float32
        np.testing.assert_array_equal(arrays["a"][:, 1, 2], np.arange(5))
        np.testing.assert_array_equal(arrays["b"], np.arange(5))
    assert [entry.name for entry in tmp_path.iterdir()] == ["out.npz"]


def test_without_rows_nothing_is_written(tmp_path):
    (tmp_path / "out.npz").write_text("old")
    assert feature_file.write(str(tmp_path / "out.npz"), rows(0)) == 0
    assert (tmp_path / "out.npz").read_text() == "old"


def test_while_rows_come_the_folder_shows_nothing(tmp_path):
    def watched():
        for row in rows(3):
            assert not list(tmp_path.iterdir())
            yield row

    feature_file.write(str(tmp_path / "out.npz"), watched())


def test_what_is_stopped_leaves_nothing(tmp_path):
    def stopped():
        yield from rows(3)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        feature_file.write(str(tmp_path / "out.npz"), stopped())
    assert not list(tmp_path.iterdir())


def test_memory_does_not_grow_with_the_photos(tmp_path):
    tracemalloc.start()
    feature_file.write(str(tmp_path / "out.npz"), rows(300, width=20_000))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (tmp_path / "out.npz").stat().st_size > 40e6
    assert peak < 10e6
