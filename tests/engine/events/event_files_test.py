"""Names of event files around a clock that goes back."""

import pytest

from engine.events import event_files

PREFIX = "events.out.tfevents.0000000"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (["100.vm.7", "299.vm.1"], ["100.vm.7", "299.vm.1"]),
        (["100.vm.7", "300.vm.1"], ["100.vm.7", "299.vm.1"]),
        (["299.vm.1", "300.vm.1"], ["298.vm.1", "299.vm.1"]),
        (
            ["299.vm.7", "900.vm.7", "900.vm.7.v2"],
            ["297.vm.7", "298.vm.7", "299.vm.7.v2"],
        ),
        (["100.copy", "x.y"], ["100.copy", "x.y"]),
        ([], []),
    ],
)
def test_files_from_the_future_become_the_latest(tmp_path, monkeypatch, before, after):
    monkeypatch.setattr("time.time", lambda: 300.9)
    for number, name in enumerate(before):
        (tmp_path / (PREFIX + name)).write_text(str(number))
    event_files.keep_order(str(tmp_path))
    paths = sorted(tmp_path.iterdir())
    assert [p.name.removeprefix(PREFIX) for p in paths] == after
    assert [p.read_text() for p in paths] == [str(n) for n in range(len(before))]
