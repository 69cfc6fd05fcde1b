"""An order of training in which every class comes as often as any other."""

import numpy as np

_PER_BLOCK = 4  # numbers that Philox makes of one count
_OF_ROUNDS = 0  # the stream of numbers that shuffle the classes of a round


class BalancedOrder:
    """Places in rounds, each of which holds one example of every class, shuffled.

    The examples of a class are drawn in turn, reshuffled whenever all have been
    drawn. Classes without examples are left out. What stands at a place is a pure
    function of the seed and of the place, counted from the start of training: of each
    class every round takes one, so that the number of the round says how many were
    taken before.
    """

    def __init__(self, labels: np.ndarray, seed: int) -> None:
        """Sorts the examples by class.

        Args:
          labels: `[examples]` integers, one example at least.
          seed: decides the order; 0 or more.
        """
        self._seed = seed
        self._num_examples = len(labels)
        self._members = [np.flatnonzero(labels == label) for label in np.unique(labels)]

    def epoch(self, epoch: int) -> tuple[np.ndarray, np.ndarray]:
        """An epoch, of as many places as there are examples.

        Args:
          epoch: its number, from 0.

        Returns:
          Times that the example at each place has been drawn before, and its index:
          `[examples]` int64 each.
        """
        count, num_classes = self._num_examples, len(self._members)
        places = np.arange(epoch * count, (epoch + 1) * count, dtype=np.int64)
        rounds, turns = np.divmod(places, num_classes)
        shuffled = self._shuffles(_OF_ROUNDS, rounds[0], rounds[-1] + 1, num_classes)
        classes = shuffled[rounds - rounds[0], turns]
        times, indexes = np.empty_like(places), np.empty_like(places)
        for number, members in enumerate(self._members):
            here = np.flatnonzero(classes == number)
            if not len(here):
                continue
            times[here], position = np.divmod(rounds[here], len(members))
            first, last = times[here[0]], times[here[-1]]
            orders = self._shuffles(1 + number, first, last + 1, len(members))
            indexes[here] = members[orders[times[here] - first, position]]
        return times, indexes

    def _shuffles(self, stream: int, first: int, end: int, size: int) -> np.ndarray:
        """The shuffles number `first` to `end` of a stream: `[end - first, size]`.

        A counter-based generator gives any number of a stream without those before
        it: Salmon et al., "Parallel Random Numbers: As Easy as 1, 2, 3", 2011.
        """
        block, skipped = divmod(int(first) * size, _PER_BLOCK)
        generator = np.random.Philox(key=[self._seed, stream], counter=block)
        numbers = generator.random_raw(skipped + int(end - first) * size)
        return numbers[skipped:].reshape(-1, size).argsort(axis=1, kind="stable")
