"""Published archives: resumed, verified, unpacked into their folder alone."""

import dataclasses
import hashlib
import http.server
import io
import os
import tarfile
import threading

import numpy as np
import pytest

from checkpoints import slim_format
from convert import download_checkpoint, fetching, known_archives, net_fit
from convert.keras_applications import APPLICATIONS
from convert.known_archives import Archive
from errors import UserError
from nets import nets_factory

NET = "mobilenet_v1_025"


@dataclasses.dataclass
class Served:
    """What the server gives, and what it was asked."""

    url: str = ""
    files: dict = dataclasses.field(default_factory=dict)
    breaks_after: list = dataclasses.field(default_factory=list)
    ignores_range: bool = False
    asked: list = dataclasses.field(default_factory=list)


def _handler(served):
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            wanted = self.headers.get("Range")
            served.asked.append(wanted)
            content = served.files.get(self.path)
            if content is None:
                self.send_error(403)
                return
            start = 0
            if wanted and not served.ignores_range:
                start = int(wanted.removeprefix("bytes=").removesuffix("-"))
            if start >= len(content):
                self.send_error(416)
                return
            self.send_response(206 if start else 200)
            self.send_header("Content-Length", str(len(content) - start))
            self.end_headers()
            until = served.breaks_after.pop(0) if served.breaks_after else None
            self.wfile.write(content[start:until])

        def log_message(self, *_):
            pass

    return Handler


@pytest.fixture
def served(monkeypatch):
    monkeypatch.setattr(fetching, "_SECS_BETWEEN_ATTEMPTS", 0.0)
    what = Served()
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _handler(what)) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        what.url = f"http://127.0.0.1:{server.server_port}"
        yield what
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def tgz(tmp_path_factory):
    """An archive as slim published them, a folder deep."""
    folder = tmp_path_factory.mktemp("published")
    shapes = net_fit.net_shapes(NET, 3)
    values = {name: np.ones(shape, np.float32) for name, shape in shapes.items()}
    values["MobilenetV1/mean_rgb"] = np.zeros(3, np.float32)
    slim_format.write_checkpoint(str(folder / "inner" / "net.ckpt"), values)
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        archive.add(folder / "inner", "inner")
    return buffer.getvalue()


CONTENT = bytes(range(256)) * 40


def test_a_file_arrives_whole(served, tmp_path):
    served.files["/a.tgz"] = CONTENT
    fetching.download(f"{served.url}/a.tgz", str(tmp_path / "a.tgz"))
    assert (tmp_path / "a.tgz").read_bytes() == CONTENT
    assert os.listdir(tmp_path) == ["a.tgz"]


def test_a_broken_connection_is_taken_up_where_it_broke(served, tmp_path):
    served.files["/a.tgz"] = CONTENT
    served.breaks_after = [1000, 3000]
    fetching.download(f"{served.url}/a.tgz", str(tmp_path / "a.tgz"))
    assert (tmp_path / "a.tgz").read_bytes() == CONTENT
    assert served.asked == [None, "bytes=1000-", "bytes=3000-"]


def test_an_earlier_run_is_taken_up(served, tmp_path):
    served.files["/a.tgz"] = CONTENT
    (tmp_path / "a.tgz.part").write_bytes(CONTENT[:5000])
    fetching.download(f"{served.url}/a.tgz", str(tmp_path / "a.tgz"))
    assert (tmp_path / "a.tgz").read_bytes() == CONTENT
    assert served.asked == ["bytes=5000-"]


@pytest.mark.parametrize("part", [CONTENT[:5000], CONTENT + b"more"])
def test_a_part_that_the_server_cannot_go_on_with_starts_anew(part, served, tmp_path):
    served.files["/a.tgz"] = CONTENT
    served.ignores_range = len(part) < len(CONTENT)
    (tmp_path / "a.tgz.part").write_bytes(part)
    fetching.download(f"{served.url}/a.tgz", str(tmp_path / "a.tgz"))
    assert (tmp_path / "a.tgz").read_bytes() == CONTENT


def test_a_connection_that_breaks_for_ever_ends_in_one_line(served, tmp_path):
    served.files["/a.tgz"] = CONTENT
    served.breaks_after = list(range(10, 100, 10))
    with pytest.raises(UserError, match=r"broke 5 times.*a\.tgz\.part"):
        fetching.download(f"{served.url}/a.tgz", str(tmp_path / "a.tgz"))
    assert (tmp_path / "a.tgz.part").read_bytes() == CONTENT[:50]


def _tar(path, *members):
    with tarfile.open(path, "w:gz") as archive:
        for member, content in members:
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return str(path)


def _member(name, kind=tarfile.REGTYPE, link=""):
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, link
    return member


def test_plain_files_and_folders_are_unpacked(tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    members = (_member("b", tarfile.DIRTYPE), b""), (_member("./b/c/d"), b"text")
    fetching.unpack(_tar(tmp_path / "a.tgz", *members), str(out))
    assert (out / "b" / "c" / "d").read_bytes() == b"text"


@pytest.mark.parametrize(
    ("member", "reason"),
    [
        (_member("../evil"), "lies outside"),
        (_member("a/../../evil"), "lies outside"),
        (_member("/tmp/evil"), "lies outside"),
        (_member("evil", tarfile.SYMTYPE, "/etc/passwd"), "no plain file"),
        (_member("evil", tarfile.LNKTYPE, "../out"), "no plain file"),
        (_member("evil", tarfile.CHRTYPE), "no plain file"),
        (_member("evil", tarfile.FIFOTYPE), "no plain file"),
    ],
)
def test_members_that_reach_outside_are_refused(member, reason, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    archive = _tar(tmp_path / "a.tgz", (member, b""))
    with pytest.raises(UserError, match=reason):
        fetching.unpack(archive, str(out))
    assert sorted(os.listdir(tmp_path)) == ["a.tgz", "out"]
    assert os.listdir(out) == []


@pytest.mark.parametrize("cut", [0, 40, -200])
def test_a_damaged_archive_is_one_line(cut, tgz, tmp_path):
    (tmp_path / "a.tgz").write_bytes(tgz[:cut])
    with pytest.raises(UserError, match="is damaged or no tar file"):
        fetching.unpack(str(tmp_path / "a.tgz"), str(tmp_path))


def _download(archive, tmp_path):
    folder = str(tmp_path / "checkpoints" / NET)
    return download_checkpoint.download(archive, NET, folder)


def test_a_checkpoint_arrives_ready_to_use_and_once(served, tgz, tmp_path):
    served.files["/net.tgz"] = tgz
    digest = hashlib.sha256(tgz).hexdigest()
    archive = Archive(f"{served.url}/net.tgz", 50.0, sha256=digest)
    path = _download(archive, tmp_path)
    assert path == str(tmp_path / "checkpoints" / NET / "inner" / "net.ckpt")
    assert slim_format.Checkpoint(path).read("MobilenetV1/Conv2d_0/weights").all()
    assert os.listdir(tmp_path / "checkpoints") == [NET]
    assert _download(archive, tmp_path) == path
    assert len(served.asked) == 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"sha256": "0" * 64}, "not what was published; nothing was unpacked"),
        ({"url": "/other.tgz"}, "it is not the checkpoint of mobilenet_v1_025"),
    ],
)
def test_what_is_not_the_checkpoint_leaves_nothing(
    change, message, served, tgz, tmp_path
):
    served.files["/net.tgz"] = tgz
    slim_format.write_checkpoint(
        str(tmp_path / "o.ckpt"), {"MobilenetV1/Conv2d_0/weights": np.ones(3)}
    )
    with tarfile.open(tmp_path / "o.tgz", "w:gz") as other:
        other.add(tmp_path / "o.ckpt.index", "o.ckpt.index")
        other.add(tmp_path / "o.ckpt.data-00000-of-00001", "o.ckpt.data-00000-of-00001")
    served.files["/other.tgz"] = (tmp_path / "o.tgz").read_bytes()
    archive = dataclasses.replace(Archive("/net.tgz", 50.0), **change)
    archive = dataclasses.replace(archive, url=served.url + archive.url)
    with pytest.raises(UserError, match=message):
        _download(archive, tmp_path)
    assert os.listdir(tmp_path / "checkpoints") == []


@pytest.mark.parametrize(
    ("replacement", "message"),
    [
        ("keras_to_slim --keras_model=mobilenet_025", "come from python -m convert.ke"),
        ("", "no other source of weights"),
    ],
)
def test_a_dead_link_says_what_replaces_it(replacement, message, served, tmp_path):
    archive = Archive(f"{served.url}/gone.tgz", 50.0, replacement=replacement)
    with pytest.raises(UserError, match=rf"gone.tgz answers 403 .*{message}"):
        _download(archive, tmp_path)


def test_a_folder_that_cannot_be_made_is_one_line(tmp_path):
    (tmp_path / "checkpoints").touch()
    with pytest.raises(UserError, match=r"checkpoints: File exists"):
        _download(Archive("http://127.0.0.1:9/a.tgz", 50.0), tmp_path)


def test_a_server_that_is_not_there_says_what_replaces_it(tmp_path):
    archive = Archive("http://127.0.0.1:9/a.tgz", 50.0, replacement="keras_to_slim")
    with pytest.raises(UserError, match=r"cannot be reached .*convert\.keras_to_slim"):
        _download(archive, tmp_path)


def test_a_net_and_a_size_are_found_or_named():
    archive, size = download_checkpoint.find_archive("mobilenet_v1", None)
    assert size == 224
    assert archive.url.endswith("/mobilenet_v1_1.0_224.tgz")
    assert download_checkpoint.find_archive("mobilenet_v1", 160)[0].top_1 == 68.0
    with pytest.raises(UserError, match=r"for 224, 192, 160, 128 pixels"):
        download_checkpoint.find_archive("mobilenet_v1", 100)
    with pytest.raises(UserError, match=r"did you mean inception_v3"):
        download_checkpoint.find_archive("inception-v3", None)


def test_every_archive_is_listed_and_of_a_net_of_the_factory():
    text = download_checkpoint.describe_all()
    for name, sizes in known_archives.ARCHIVES.items():
        assert name in nets_factory.NETWORKS
        assert name in text
        for archive in sizes.values():
            assert archive.url.startswith("http")
            assert 40 < archive.top_1 < (archive.top_5 or 100)


def test_every_replacement_is_a_conversion_that_exists():
    keras = "keras_to_slim --keras_model="
    for sizes in known_archives.ARCHIVES.values():
        for archive in sizes.values():
            name = archive.replacement.removeprefix(keras)
            assert name in (*APPLICATIONS, "") or name.startswith("torch_to_slim ")
