import numpy as np
import threadpoolctl

from engine.head import blas_threads, logistic_regression
from engine.probing import probe_classifiers


def num_threads():
    pools = threadpoolctl.threadpool_info()
    return {pool["num_threads"] for pool in pools if pool["user_api"] == "blas"}


def test_few_examples_are_fitted_by_one_thread(monkeypatch):
    """As many before and after: the rest of the program keeps its threads."""
    seen = []
    path = logistic_regression._path

    def watched(*args):
        seen.append(num_threads())
        return path(*args)

    monkeypatch.setattr(logistic_regression, "_path", watched)
    with threadpoolctl.threadpool_limits(2, "blas"):
        features = np.random.default_rng(0).normal(size=(40, 8)).astype(np.float32)
        labels = np.arange(40, dtype=np.int32) % 2
        logistic_regression.fit(features, labels, 2)
        assert set.union(*seen) == {1}
        probe_classifiers.screen(features, labels, seed=0)
        assert num_threads() == {2}


def test_many_examples_keep_all_threads():
    with threadpoolctl.threadpool_limits(2, "blas"):
        with blas_threads.suited_to(np.zeros((4_000, 1_000), np.float32)):
            assert num_threads() == {2}
        with blas_threads.suited_to(np.zeros((3_999, 1_000), np.float32)):
            assert num_threads() == {1}
