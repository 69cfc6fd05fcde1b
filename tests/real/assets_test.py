"""The cache of assets keeps whole and right archives only; no network needed."""

import hashlib
import sys

import pytest

from errors import UserError
from tests.real import assets

_WRITE = "import pathlib; pathlib.Path('toy.tgz').write_text('toy')"


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return assets.cache_dir()


def _package(command=(sys.executable, "-c", _WRITE), content=b"toy"):
    return assets.Package("toy", command, hashlib.sha256(content).hexdigest())


def test_an_archive_is_fetched_once(cache):
    package = _package()
    archive = assets.archive(package)
    assert archive.read_text() == "toy"
    assert list(cache.glob("archives/*")) == [archive]
    again = _package(command=("false",))
    assert assets.archive(again) == archive


def test_an_archive_that_changed_is_one_line_and_not_kept(cache):
    with pytest.raises(UserError, match=r"toy\.tgz has sha256 .* expected .* toy"):
        assets.archive(_package(content=b"what it was"))
    assert not list(cache.glob("archives/*"))


def test_a_client_that_fails_is_quoted(cache):
    complains = ("sh", "-c", "echo some noise; echo no such version >&2; exit 3")
    with pytest.raises(UserError, match="ended with status 3: no such version"):
        assets.archive(_package(command=complains))
    with pytest.raises(UserError, match="no-such-client is not installed"):
        assets.archive(_package(command=("no-such-client",)))


def test_an_entry_is_whole_or_missing(cache):
    def half(folder):
        (folder / "first").write_text("1")
        raise KeyboardInterrupt

    def whole(folder):
        (folder / "first").write_text("1")

    with pytest.raises(KeyboardInterrupt):
        assets.prepared("thing", "0123456789", half)
    assert not list(cache.iterdir())
    entry = assets.prepared("thing", "0123456789", whole)
    assert assets.prepared("thing", "0123456789", half) == entry
