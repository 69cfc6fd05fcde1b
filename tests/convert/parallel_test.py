import concurrent.futures
import multiprocessing
import os
import signal
import threading
import time

import pytest

from convert import parallel


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
        for result in parallel.in_order(executor, work, range(50), window=5):
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
        results = parallel.in_order(executor, abs, items(), window=4)
        assert next(results) == 0
        assert len(taken) == 4


def test_processes_are_others_and_end():
    with parallel.processes(2) as executor:
        pids = {executor.submit(os.getpid).result() for _ in range(20)}
        assert os.getpid() not in pids
        workers = multiprocessing.active_children()
        assert 1 <= len(workers) <= 2
    assert not any(worker.is_alive() for worker in workers)


def test_signals_wait_until_the_block_ends():
    blocked = []

    def interrupt():
        with parallel.signals_held():
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(0.01)
            blocked.append(signal.pthread_sigmask(signal.SIG_BLOCK, []))

    # The system hands a signal to any thread that takes it, not to the main one alone.
    release = threading.Event()
    other = threading.Thread(target=release.wait)
    other.start()
    try:
        with pytest.raises(KeyboardInterrupt):
            interrupt()
    finally:
        release.set()
        other.join()
    assert signal.SIGINT in blocked[0]  # what a process started inside inherits
    assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, [])
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_usable_cpus_are_those_of_this_process():
    assert 1 <= parallel.num_usable_cpus() <= (os.cpu_count() or 1)
