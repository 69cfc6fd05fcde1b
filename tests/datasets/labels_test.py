import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from datasets import labels
from errors import UserError


def test_ordinary_names_are_written_as_slim_writes_them(tmp_path):
    labels.write(str(tmp_path), ["daisy", "brush rabbit", "a:b", "ä 山"])
    content = (tmp_path / "labels.txt").read_bytes().decode()
    assert content == "0:daisy\n1:brush rabbit\n2:a:b\n3:ä 山\n"


def test_names_that_a_line_cannot_hold_are_escaped(tmp_path):
    labels.write(str(tmp_path), ["two\nlines", "back\\slash", "\udc80"])
    content = (tmp_path / "labels.txt").read_bytes().decode()
    assert content == "0:two\\nlines\n1:back\\\\slash\n2:\\udc80\n"


@given(st.lists(st.text(st.characters()), min_size=1, max_size=5))
@example(["\\n", "\r", "a\r", " ", "", "\x85\u2028", "\ufeff", "\\udc80", "\udfff"])
def test_names_survive_a_round_trip(tmp_path_factory, names):
    directory = str(tmp_path_factory.mktemp("labels"))
    labels.write(directory, names)
    assert labels.read(directory) == tuple(names)


def test_blank_lines_windows_line_ends_and_order_do_not_matter(tmp_path):
    (tmp_path / "labels.txt").write_bytes(b"\xef\xbb\xbf2:c\r\n\r\n0:a:x\r\n\n")
    assert labels.read(str(tmp_path)) == ("a:x", "1", "c")


def test_no_file_means_no_names(tmp_path):
    assert labels.read(str(tmp_path)) is None


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"0:a\nrose\n", "line 2 is 'rose': expected id:name"),
        (b"x:a\n", "line 1 is 'x:a'"),
        (b"-1:a\n", "line 1"),
        (b"0:a\n0:b\n", "line 2 names class 0 again, as 'b' after 'a'"),
        (b"\n\n", "is empty"),
        (b"0:\xff\n", "is not UTF-8"),
    ],
)
def test_wrong_files_are_explained(tmp_path, content, message):
    (tmp_path / "labels.txt").write_bytes(content)
    with pytest.raises(UserError, match=message):
        labels.read(str(tmp_path))
