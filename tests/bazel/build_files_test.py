"""BUILD files are those that the sources' names and imports ask for."""

import collections
import re
from pathlib import PurePosixPath as Path

import pytest

from tests.bazel import build_files

MEND = "(`python tests/bazel/build_files.py` writes all of it)"


@pytest.fixture(scope="module")
def tree() -> build_files.Tree:
    return build_files.read_tree(build_files.tracked("*"))


@pytest.fixture(scope="module")
def wanted(tree) -> dict[Path, str]:
    return build_files.texts(tree)


def test_build_files_are_up_to_date(wanted):
    assert {path.parent for path in build_files.build_files()} == set(wanted), MEND
    for folder, text in wanted.items():
        assert (build_files.ROOT / folder / "BUILD").read_text() == text, MEND


def test_each_source_is_in_one_library_and_no_library_needs_itself(tree):
    label_of = build_files.labels(tree)
    assert set(label_of) == set(build_files.tracked("*.py"))
    needs = build_files.dependencies(tree, label_of)
    left = collections.Counter(label_of.values())
    while done := [label for label in left if not needs[label] & left.keys()]:
        for label in done:
            del left[label]
    assert not left, f"in a circle: {sorted(left)}"


@pytest.mark.parametrize(
    ("folder", "pattern"),
    [
        ("engine", "report/*.jinja"),
        ("datasets", "*.txt"),
        ("tests/preprocessing", "*.json"),
    ],
)
def test_files_read_at_run_time_are_data(wanted, folder, pattern):
    globs = re.findall(r"data = glob\(\[(.*?)\]\)", wanted[Path(folder)], re.DOTALL)
    assert any(f'"{pattern}"' in patterns for patterns in globs)


@pytest.fixture
def texts_of(tmp_path, monkeypatch):
    """The BUILD files of sources given by name."""
    monkeypatch.setattr(build_files, "ROOT", tmp_path)

    def build(**sources: str) -> dict[Path, str]:
        files = []
        for name, text in sources.items():
            path = Path(name.replace(".", "/") + ".py")
            (tmp_path / path.parent).mkdir(parents=True, exist_ok=True)
            (tmp_path / path).write_text(text)
            files.append(path)
        return build_files.texts(build_files.read_tree(files))

    return build


def test_imports_inside_functions_and_of_packages_count(texts_of):
    texts = texts_of(
        **{
            "b": "def f():\n    from room import a\nif __name__ == '__main__': f()",
            "room.__init__": "",
            "room.a": "import os",
        }
    )
    assert texts[Path()].endswith(
        'py_binary(\n    name = "b",\n    srcs = ["b.py"],\n    deps = [\n'
        '        "//room",\n        "//room:__init__",\n    ],\n)\n'
    )
    assert 'name = "room"' in texts[Path("room")]
    assert 'deps = [":__init__"]' in texts[Path("room")]


def test_folders_in_a_circle_are_one_library(texts_of):
    texts = texts_of(
        **{"room.a": "from room.inner import b", "room.inner.b": "from room import c"},
        **{"room.c": "", "room.other.d": "from room import a"},
    )
    assert set(texts) == {Path("room"), Path("room/other")}
    assert '"*.py",\n        "inner/*.py",' in texts[Path("room")]


def test_a_circle_of_rooms_is_refused(texts_of):
    with pytest.raises(ValueError, match="//a', '//b"):
        texts_of(**{"a.x": "from b import y", "b.y": "from a import x"})


def test_scripts_and_tests_have_targets(texts_of):
    texts = texts_of(
        **{"room.a": "if __name__ == '__main__':\n    print()"},
        **{"tests.room.a_test": "from room import a", "tests.conftest": ""},
    )
    assert 'py_binary(\n    name = "a",' in texts[Path("room")]
    assert texts[Path("tests/room")].endswith(
        'pytest_tests(\n    deps = [\n        "//room",\n'
        '        "//tests:conftest",\n    ],\n)\n'
    )
