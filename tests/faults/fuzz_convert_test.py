"""A short form of fuzz_convert."""

from tests.faults import fuzz_convert


def test_every_file_is_stored_or_rejected_and_memory_is_bounded(tmp_path):
    outcome = fuzz_convert.check(tmp_path, 1000)
    assert outcome.kinds.total() == 1000
    assert outcome.accepted + outcome.rejected == outcome.kinds
    for kind in ("sound", "CMYK JPEG", "16 bit", "1×1", "odd name"):
        assert not outcome.rejected[kind]
    for kind in ("PNG bomb", "0 bytes", "directory", "dangling link", "pipe", "noise"):
        assert not outcome.accepted[kind]
    assert outcome.memory_mb < fuzz_convert.MAX_MEMORY_MB
