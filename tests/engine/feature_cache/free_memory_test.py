"""Free memory by the numbers of a system that is made up."""

import os

import pytest

from engine.feature_cache import free_memory

MB = 1 << 20


@pytest.fixture
def machine(tmp_path):
    (tmp_path / "proc/self").mkdir(parents=True)
    (tmp_path / "proc/meminfo").write_text(
        f"MemTotal: {900 * 1024} kB\nMemFree: 5 kB\nMemAvailable:   {700 * 1024} kB\n"
    )
    return tmp_path


def group(folder, names, limit, used, stat):
    folder.mkdir(parents=True, exist_ok=True)
    for name, value in zip(names, (limit, used), strict=True):
        (folder / name).write_text(f"{value}\n")
    (folder / "memory.stat").write_text(stat)


def test_without_groups_it_is_the_machines(machine):
    assert free_memory.available_bytes(str(machine)) == 700 * MB


@pytest.mark.parametrize("place", ["", "a", "a/b"])
def test_groups_of_version_2(machine, place):
    """The tightest of a group and those it is in; what is kept of files is free."""
    (machine / "proc/self/cgroup").write_text("0::/a/b\n")
    names = "memory.max", "memory.current"
    stat = f"anon {90 * MB}\ninactive_file {20 * MB}\n"
    group(machine / "sys/fs/cgroup", names, "max", 150 * MB, stat)
    group(machine / "sys/fs/cgroup" / place, names, 200 * MB, 150 * MB, stat)
    assert free_memory.available_bytes(str(machine)) == 70 * MB


@pytest.mark.parametrize("seen", ["", "job"])
def test_groups_of_version_1(machine, seen):
    (machine / "proc/self/cgroup").write_text("4:memory,x:/job\n3:cpu:/\n0::/\n")
    names = "memory.limit_in_bytes", "memory.usage_in_bytes"
    group(machine / "sys/fs/cgroup/memory", names, (1 << 63) - 4096, 10 * MB, "")
    stat = f"total_inactive_file {MB}\n"
    group(machine / "sys/fs/cgroup/memory" / seen, names, 100 * MB, 40 * MB, stat)
    assert free_memory.available_bytes(str(machine)) == 61 * MB


def test_a_full_group_has_nothing_free(machine):
    (machine / "proc/self/cgroup").write_text("0::/\n")
    names = "memory.max", "memory.current"
    group(machine / "sys/fs/cgroup", names, 10 * MB, 11 * MB, "")
    assert free_memory.available_bytes(str(machine)) == 0


def test_where_there_is_no_proc_it_is_all_there_is(tmp_path):
    pages = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    assert free_memory.available_bytes(str(tmp_path)) == pages
    assert 0 < free_memory.available_bytes() <= pages
