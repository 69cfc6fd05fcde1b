"""BUILD files name every source once and every import as a dependency."""

import collections
import pathlib

import pytest

from tests.bazel import build_files

MEND = "\n(`python tests/bazel/build_files.py` writes all of it)"


@pytest.fixture(scope="module")
def folders() -> dict[str, list[build_files.Rule]]:
    return build_files.wanted(build_files.sources())


def test_sources_are_found(folders):
    assert {"", "config", "tests/bazel"} <= set(folders)


def test_each_source_has_its_rule(folders):
    missing = []
    for folder, rules in folders.items():
        named = {rule.srcs for rule in build_files.written(folder)[1].values()}
        missing += [
            f"{folder}/BUILD: add\n{rule}".removeprefix("/")
            for rule in rules
            if rule.srcs not in named
        ]
    assert not missing, "\n".join(missing) + MEND


def test_rules_say_what_the_sources_import(folders):
    faults = []
    for folder, rules in folders.items():
        written = build_files.written(folder)[1]
        for rule in rules:
            found = written.get(rule.name, rule)
            place = f"{folder}/BUILD, rule {rule.name}".removeprefix("/")
            if found.kind != rule.kind:
                faults.append(f"{place}: is {found.kind}, make it {rule.kind}")
            faults += [
                f'{place}: add to deps "{label}", which it imports'
                for label in sorted(set(rule.deps) - set(found.deps))
            ] + [
                f'{place}: take from deps "{label}", which it does not import'
                for label in sorted(set(found.deps) - set(rule.deps))
            ]
    assert not faults, "\n".join(faults) + MEND


def test_each_file_a_rule_names_exists_and_is_named_once(folders):
    faults = []
    for folder in folders:
        rules = build_files.written(folder)[1].values()
        counts = collections.Counter(name for rule in rules for name in rule.srcs)
        for name, count in counts.items():
            path = pathlib.PurePosixPath(folder, name)
            if not (build_files.ROOT / path).is_file():
                faults.append(f"{folder}/BUILD: take out {name}, there is no such file")
            if count > 1:
                faults.append(f"{folder}/BUILD: {name} stands in {count} rules")
    assert not faults, "\n".join(faults) + MEND


def test_no_build_file_is_left_in_a_folder_without_sources(folders):
    ours = {str(pathlib.PurePosixPath(folder, "BUILD")) for folder in folders}
    tracked = build_files.tracked("BUILD", "*/BUILD")
    left = {str(p) for p in tracked if "stand_ins" not in p.parts} - ours
    assert not left, f"remove {sorted(left)}: their folders hold no Python files"


def test_imports_inside_functions_and_of_packages_count(tmp_path, monkeypatch):
    monkeypatch.setattr(build_files, "ROOT", tmp_path)
    (tmp_path / "room").mkdir()
    (tmp_path / "room/__init__.py").write_text("")
    (tmp_path / "room/a.py").write_text("import os\n")
    (tmp_path / "b.py").write_text(
        "def f():\n    from room import a\n\nif __name__ == '__main__':\n    f()\n"
    )
    files = [
        pathlib.PurePosixPath(p) for p in ("b.py", "room/__init__.py", "room/a.py")
    ]
    rules = build_files.wanted(files)
    assert rules[""] == [
        build_files.Rule("py_binary", "b", ("b.py",), ("//room:__init__", "//room:a"))
    ]
    assert rules["room"][1].deps == (":__init__",)


def test_writing_keeps_what_was_added_by_hand(tmp_path, monkeypatch):
    monkeypatch.setattr(build_files, "ROOT", tmp_path)
    (tmp_path / "a.py").write_text("import b\n")
    (tmp_path / "b.py").write_text("")
    (tmp_path / "BUILD").write_text(
        '# Why.\nfilegroup(name = "x")\n\n'
        'py_library(name = "a", srcs = ["a.py"], tags = ["manual"], deps = [":gone"])\n'
    )
    files = [pathlib.PurePosixPath(name) for name in ("a.py", "b.py")]
    monkeypatch.setattr(build_files, "sources", lambda: files)
    build_files.main()
    assert (tmp_path / "BUILD").read_text() == (
        '# Why.\nfilegroup(name = "x")\n\n'
        'py_library(\n    name = "a",\n    srcs = ["a.py"],\n    tags = ["manual"],\n'
        '    deps = [":b"],\n)\n\n'
        'py_library(\n    name = "b",\n    srcs = ["b.py"],\n)\n'
    )
