import concurrent.futures
import threading

from common.in_order import in_order


def test_results_come_in_order_and_few_wait():
    at_work = set()
    most = 0
    lock = threading.Lock()

    def work(item):
        nonlocal most
        with lock:
            at_work.add(item)
            most = max(most, len(at_work))
        return item * 10

    with concurrent.futures.ThreadPoolExecutor(3) as executor:
        results = []
        for result in in_order(executor, work, range(50), window=5):
            results.append(result)
            at_work.discard(result // 10)
    assert results == [item * 10 for item in range(50)]
    assert 1 < most <= 5


def test_items_are_taken_as_they_are_needed():
    taken = []

    def items():
        for item in range(100):
            taken.append(item)
            yield item

    with concurrent.futures.ThreadPoolExecutor(2) as executor:
        results = in_order(executor, abs, items(), window=4)
        assert next(results) == 0
        assert len(taken) == 4
