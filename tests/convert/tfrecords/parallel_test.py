import gc
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from multiprocessing import forkserver

import pytest

from convert.tfrecords import parallel


def test_processes_are_others_and_end():
    with parallel.processes(2) as executor:
        pids = {executor.submit(os.getpid).result() for _ in range(20)}
        assert os.getpid() not in pids
        workers = multiprocessing.active_children()
        assert 1 <= len(workers) <= 2
    assert not any(worker.is_alive() for worker in workers)


def _count_for_ever(large):
    while True:
        parallel.count(large)


def test_an_exception_stops_them_in_the_middle_of_their_work():
    def interrupted():
        with parallel.processes(2) as executor:
            for _ in range(2):
                executor.submit(_count_for_ever, bytes(1 << 20))
            while not executor.counted:
                time.sleep(0.01)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert multiprocessing.active_children() == []


def test_what_they_count_is_known():
    with parallel.processes(2) as executor:
        assert list(executor.map(parallel.count, range(5))) == [0, 1, 2, 3, 4]
        assert executor.counted == 5


@pytest.mark.skipif(sys.platform != "linux", reason="workers start otherwise")
def test_no_module_of_the_users_folder_is_taken(tmp_path):
    for name in ("convert.py", "parallel.py", "common.py"):
        (tmp_path / name).write_text("raise SystemExit('of the user')")
    script = tmp_path / "script.py"
    script.write_text(
        "import sys\n"
        f"sys.path[0] = {os.getcwd()!r}\n"
        "from convert.tfrecords import parallel\n"
        "from tests.convert.tfrecords import parallel_test\n"
        "if __name__ == '__main__':\n"
        "    with parallel.processes(1) as workers:\n"
        "        print(workers.submit(parallel_test._is_prepared).result())\n"
    )
    ran = subprocess.run(
        [sys.executable, script],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.stdout == "True\n", ran.stderr


def _is_prepared():
    return "tensorflow" in sys.modules and gc.get_freeze_count() > 0 and gc.isenabled()


@pytest.mark.skipif(sys.platform != "linux", reason="workers start otherwise")
def test_workers_have_tensorflow_from_the_start():
    with parallel.processes(1) as executor:
        assert executor.submit(_is_prepared).result()


@pytest.mark.skipif(sys.platform != "linux", reason="workers start otherwise")
def test_the_process_that_workers_are_copies_of_holds_no_stdout():
    parallel.prepare()
    files = f"/proc/{forkserver._forkserver._forkserver_pid}/fd"  # type: ignore[attr-defined]
    assert os.readlink(f"{files}/1") == os.readlink(f"{files}/2")


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
