"""Published archives: resumed, verified, unpacked into their folder alone."""

import dataclasses
import gzip
import hashlib
import http.server
import io
import os
import tarfile
import threading
import urllib.request
from http.client import HTTPMessage

import numpy as np
import pytest

from checkpoints import slim_format
from common import fetching
from convert import download_checkpoint
from convert.from_keras.applications import APPLICATIONS
from convert.published import archives
from convert.published.archives import Archive
from convert.weights import net_fit
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
    headers: dict = dataclasses.field(default_factory=dict)
    status: int | None = None
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
            last = len(content) - 1
            headers = {"Content-Length": str(len(content) - start)}
            if start:
                headers["Content-Range"] = f"bytes {start}-{last}/{last + 1}"
            self.send_response(served.status or (206 if start else 200))
            for name, value in (headers | served.headers).items():
                if value is not None:
                    self.send_header(name, value)
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


def _refused(served, tmp_path, match, error=UserError, **options):
    """What does not end well leaves no file."""
    served.files["/a.tgz"] = CONTENT
    with pytest.raises(error, match=match) as raised:
        fetching.download(f"{served.url}/a.tgz", str(tmp_path / "a.tgz"), **options)
    assert "\n" not in str(raised.value)
    assert not (tmp_path / "a.tgz").exists()


@pytest.mark.parametrize("length", ["-1", "many", "1e9", "9" * 30, ""])
def test_a_length_that_makes_no_sense_is_one_line(length, served, tmp_path):
    served.headers = {"Content-Length": length}
    _refused(served, tmp_path, "with Content-Length", fetching.UnreachableError)


def test_more_than_the_file_can_have_is_refused(served, tmp_path):
    served.headers = {"Content-Length": str(10**15)}
    _refused(served, tmp_path, r"is larger than 2 GB")
    assert os.listdir(tmp_path) == []
    served.headers = {"Content-Length": None}  # until the connection ends
    _refused(served, tmp_path, r"is larger than 5e-06 GB", max_bytes=5000)
    assert not os.listdir(tmp_path) or (tmp_path / "a.tgz.part").stat().st_size <= 5000


def test_without_a_length_all_that_comes_is_taken(served, tmp_path):
    served.files["/a.tgz"] = CONTENT
    served.headers = {"Content-Length": None}
    fetching.download(f"{served.url}/a.tgz", str(tmp_path / "a.tgz"))
    assert (tmp_path / "a.tgz").read_bytes() == CONTENT


@pytest.mark.parametrize(
    "answer", ["bytes 1-10239/10240", "bytes 5000-6000/10240", "bytes 5000-10239/10241"]
)
def test_another_part_than_asked_for_is_not_joined(answer, served, tmp_path):
    served.files["/a.tgz"] = CONTENT
    (tmp_path / "a.tgz.part").write_bytes(b"x" * 5000)
    served.headers = {"Content-Range": answer}
    fetching.download(f"{served.url}/a.tgz", str(tmp_path / "a.tgz"))
    assert (tmp_path / "a.tgz").read_bytes() == CONTENT  # from the start


@pytest.mark.parametrize("answer", [None, "bytes */*", "5000-10239/10240"])
def test_a_part_without_its_place_is_one_line(answer, served, tmp_path):
    (tmp_path / "a.tgz.part").write_bytes(CONTENT[:5000])
    served.headers = {"Content-Range": answer}
    _refused(served, tmp_path, "with Content-Range", fetching.UnreachableError)


def test_a_part_is_not_taken_for_the_whole(served, tmp_path):
    served.status, served.headers = 206, {"Content-Range": "bytes 0-99/10240"}
    _refused(served, tmp_path, "only a part of the file", fetching.UnreachableError)
    assert not (tmp_path / "a.tgz").exists()


def test_redirects_in_a_circle_are_one_line(served, tmp_path):
    served.status, served.headers = 302, {"Location": "/a.tgz"}
    _refused(served, tmp_path, r"answers 302 \([^\n]+\)$", fetching.UnreachableError)


@pytest.mark.parametrize("name", ["a.tgz", "a.tgz.part"])
def test_links_are_neither_followed_nor_replaced(name, served, tmp_path):
    mine = tmp_path / "mine"
    mine.write_text("mine")
    (tmp_path / name).symlink_to(mine)
    served.files["/a.tgz"] = CONTENT
    with pytest.raises(UserError, match=rf"{name} is in the way"):
        fetching.download(f"{served.url}/a.tgz", str(tmp_path / "a.tgz"))
    assert mine.read_text() == "mine"
    assert (tmp_path / name).is_symlink()


@pytest.mark.parametrize("target", ["file:///etc/passwd", "ftp://127.0.0.1/a"])
def test_no_server_sends_us_out_of_the_web(target, served, tmp_path):
    served.status, served.headers = 302, {"Location": target}
    # The library itself refuses what it does not know.
    _refused(served, tmp_path, r"not safe|not allowed", fetching.UnreachableError)


def test_no_server_sends_us_out_of_https():
    request = urllib.request.Request("https://here/a")
    redirect = fetching._SafeRedirects().redirect_request
    with pytest.raises(fetching.UnreachableError, match="not safe"):
        redirect(request, io.BytesIO(), 302, "", HTTPMessage(), "http://here/a")
    assert redirect(request, io.BytesIO(), 302, "", HTTPMessage(), "https://there/a")


def test_other_addresses_than_of_the_web_are_refused(tmp_path):
    (tmp_path / "here").write_text("mine")
    with pytest.raises(fetching.UnreachableError, match="not an http or https"):
        fetching.download(f"file://{tmp_path / 'here'}", str(tmp_path / "a"))


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
        (_member("evil", tarfile.SYMTYPE, "/etc/passwd"), "not a regular file"),
        (_member("evil", tarfile.LNKTYPE, "../out"), "not a regular file"),
        (_member("evil", tarfile.CHRTYPE), "not a regular file"),
        (_member("evil", tarfile.FIFOTYPE), "not a regular file"),
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


def test_bombs_are_refused_before_they_fill_the_disk(tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    zeros = _tar(tmp_path / "a.tgz", (_member("zeros"), bytes(1 << 20)))
    with pytest.raises(UserError, match=r"more than 1,000,000 bytes"):
        fetching.unpack(zeros, str(out), max_bytes=1_000_000)
    # A header that names a size, without the content; before a name, or a file.
    for kind in (tarfile.XHDTYPE, tarfile.GNUTYPE_LONGNAME, tarfile.REGTYPE):
        member = _member("huge", kind)
        member.size = 1 << 36
        (tmp_path / "h.tgz").write_bytes(gzip.compress(member.tobuf() + bytes(9999)))
        with pytest.raises(UserError, match=r"more than .* bytes|damaged"):
            fetching.unpack(str(tmp_path / "h.tgz"), str(out))
    many = [(_member(f"{number}"), b"") for number in range(12)]
    archive = _tar(tmp_path / "m.tgz", *many)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fetching, "_MAX_MEMBERS", 10)
        with pytest.raises(UserError, match=r"more than 10 members"):
            fetching.unpack(archive, str(out))


def test_sparse_members_are_refused(tmp_path):
    archive = _tar(tmp_path / "a.tgz", (_member("s", tarfile.GNUTYPE_SPARSE), b""))
    with pytest.raises(UserError, match=r"not a regular file|damaged"):
        fetching.unpack(archive, str(tmp_path))


@pytest.mark.parametrize("cut", [0, 40, -200])
def test_a_damaged_archive_is_one_line(cut, tgz, tmp_path):
    (tmp_path / "a.tgz").write_bytes(tgz[:cut])
    with pytest.raises(UserError, match="is damaged or not a tar file"):
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
        ({"sha256": "0" * 64}, "not the published file; nothing was unpacked"),
        ({"url": "/other.tgz"}, "it is not a checkpoint of mobilenet_v1_025"),
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


def test_a_file_that_was_there_is_used_and_stays(served, tgz, tmp_path, caplog):
    archive = Archive(f"{served.url}/net.tgz", 50.0)
    mine = tmp_path / "checkpoints" / "net.tgz"
    mine.parent.mkdir()
    mine.write_bytes(tgz)
    caplog.set_level("INFO")
    assert _download(archive, tmp_path).endswith("net.ckpt")
    assert mine.read_bytes() == tgz
    assert served.asked == []
    (line,) = [m for m in caplog.messages if "SHA-256" in m]
    assert f"the server's {len(tgz)} bytes" in line


@pytest.mark.parametrize("digest", ["0" * 64, None])
def test_another_file_of_that_name_is_refused_and_stays(digest, served, tmp_path):
    archive = Archive(f"{served.url}/net.tgz", 50.0, sha256=digest)
    mine = tmp_path / "checkpoints" / "net.tgz"
    mine.parent.mkdir()
    mine.write_text("mine")
    with pytest.raises(UserError, match=r"checkpoints/net\.tgz"):
        _download(archive, tmp_path)
    assert mine.read_text() == "mine"
    assert os.listdir(mine.parent) == ["net.tgz"]


def test_what_a_killed_run_left_goes(served, tgz, tmp_path):
    served.files["/net.tgz"] = tgz
    left = tmp_path / "checkpoints" / f".{NET}.tmp-left"
    left.mkdir(parents=True)
    (left / "half").write_text("half")
    _download(Archive(f"{served.url}/net.tgz", 50.0), tmp_path)
    assert os.listdir(tmp_path / "checkpoints") == [NET]


@pytest.mark.parametrize(
    ("replacement", "message"),
    [
        ("keras_to_slim.py --keras_model=mobilenet_025", "run python convert/ke"),
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
    archive = Archive("http://127.0.0.1:9/a.tgz", 50.0, replacement="keras_to_slim.py")
    with pytest.raises(UserError, match=r"cannot be reached .*convert/keras_to_slim"):
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
    text = download_checkpoint.archives_table()
    for name, sizes in archives.ARCHIVES.items():
        assert name in nets_factory.NETWORKS
        assert name in text
        for archive in sizes.values():
            assert archive.url.startswith("https://")
            assert 40 < archive.top_1 < (archive.top_5 or 100)


def test_every_net_with_weights_is_listed_with_the_way_to_them():
    """Of Keras and PyTorch, all that are converted; a refusal names them, too."""
    text = download_checkpoint.elsewhere_table()
    for name, application in APPLICATIONS.items():
        assert application.model_name in text
        assert f"keras_to_slim.py --keras_model={name}" in text
    assert "download_checkpoint.py --model_name=efficientnet_lite0" in text
    assert "DINOv2's dinov2_vits14" in text
    ways = r"run python convert/keras_to_slim\.py --keras_model=convnext_base, or"
    with pytest.raises(UserError, match=ways):
        download_checkpoint.find_archive("convnext_base", None)


def test_every_digest_is_of_an_archive():
    published = [a for sizes in archives.ARCHIVES.values() for a in sizes.values()]
    known = {a.url.rpartition("/")[2]: a.sha256 for a in published if a.sha256}
    assert known == archives._SHA256
    assert all(len(bytes.fromhex(digest)) == 32 for digest in known.values())
    assert len(set(known.values())) == len(known)


def test_every_replacement_is_a_conversion_that_exists():
    keras = "keras_to_slim.py --keras_model="
    for sizes in archives.ARCHIVES.values():
        for archive in sizes.values():
            name = archive.replacement.removeprefix(keras)
            assert name in (*APPLICATIONS, "") or name.startswith("torch_to_slim.py ")
