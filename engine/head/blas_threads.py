"""The number of threads for the linear algebra of fitting a classifier."""

import contextlib
from collections.abc import Iterator

import numpy as np

# Number of values in the examples. With fewer, the threads of a BLAS library spend more
# time waiting for each other than computing: 240 examples of 1,024 features took 5.7
# seconds of two cores with two threads and 0.5 with one.
_FEWEST_FOR_THREADS = 4_000_000


@contextlib.contextmanager
def suited_to(features: np.ndarray) -> Iterator[None]:
    """Limits BLAS to one thread if there are too few examples for more.

    Args:
      features: `[examples, features]` that a classifier is fitted to.
    """
    if features.size >= _FEWEST_FOR_THREADS:
        yield
        return
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1, "blas"):
        yield
