"""What the BUILD files must say, worked out from the sources' names and imports.

`python tests/bazel/build_files.py` writes every BUILD file anew: `srcs` and `deps`
come from the sources; other attributes (`data`, `size`, `tags`), and all that stands
above the first rule, stay as they are. `build_files_test.py` compares.
"""

import ast
import dataclasses
import pathlib
import subprocess
from collections.abc import Iterator

ROOT = pathlib.Path(__file__).resolve().parents[2]
KINDS = ("py_library", "py_binary", "pytest_test")
HEADER = 'package(default_visibility = ["//visibility:public"])\n'
LOAD = 'load("//tests/bazel:pytest_test.bzl", "pytest_test")\n'


@dataclasses.dataclass(frozen=True)
class Rule:
    """One rule of a BUILD file.

    Attributes:
        kind: one of KINDS.
        name: the target's name, which is the source's name without `.py`.
        srcs: the sources, one by this project's custom.
        deps: sorted labels of the project's own modules that the source imports.
        extras: other attributes, name to its text in the BUILD file.
    """

    kind: str
    name: str
    srcs: tuple[str, ...]
    deps: tuple[str, ...]
    extras: tuple[tuple[str, str], ...] = ()

    def __str__(self) -> str:
        attributes = [f'name = "{self.name}"', f"srcs = {_starlark(self.srcs)}"]
        attributes += [f"{name} = {text}" for name, text in self.extras]
        if self.deps:
            attributes.append(f"deps = {_starlark(self.deps)}")
        lines = "".join(f"    {attribute},\n" for attribute in attributes)
        return f"{self.kind}(\n{lines})\n"


def tracked(*patterns: str) -> list[pathlib.PurePosixPath]:
    """Returns the files that git tracks and that match, relative to the root.

    Raises:
        subprocess.CalledProcessError: the root is no git checkout.
    """
    listing = subprocess.run(
        ["git", "ls-files", "-z", *patterns],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    paths = (pathlib.PurePosixPath(name) for name in listing.split("\0") if name)
    return sorted(path for path in paths if (ROOT / path).exists())


def sources() -> list[pathlib.PurePosixPath]:
    """Returns the tracked Python files."""
    return tracked("*.py")


def wanted(files: list[pathlib.PurePosixPath]) -> dict[str, list[Rule]]:
    """Returns the rules that each folder needs, `""` being the root."""
    folders: dict[str, list[Rule]] = {}
    for path in files:
        tree = ast.parse((ROOT / path).read_text("utf-8"))
        labels = {_label(needed) for needed in _needs(path, tree, set(files))}
        # A target of the same folder is `:name`.
        package = f"//{_folder(path)}:"
        deps = sorted(label.replace(package, ":", 1) for label in labels)
        rule = Rule(_kind(path, tree), path.stem, (path.name,), tuple(deps))
        folders.setdefault(_folder(path), []).append(rule)
    return folders


def written(folder: str) -> tuple[str, dict[str, Rule]]:
    """Returns what stands above a BUILD file's first rule, and its rules by name."""
    build = ROOT / folder / "BUILD"
    text = build.read_text("utf-8") if build.exists() else HEADER
    rules: dict[str, Rule] = {}
    header = text
    for node in ast.parse(text).body:
        if not isinstance(node, ast.Expr) or not isinstance(node.value, ast.Call):
            continue
        call = node.value
        if not isinstance(call.func, ast.Name) or call.func.id not in KINDS:
            continue
        if not rules:
            header = "".join(text.splitlines(keepends=True)[: node.lineno - 1])
        rule = _parse(call, text)
        rules[rule.name] = rule
    return header.rstrip() + "\n", rules


def main() -> None:
    """Writes every BUILD file."""
    for folder, rules in wanted(sources()).items():
        header, old = written(folder)
        if LOAD not in header and any(rule.kind == "pytest_test" for rule in rules):
            header = LOAD + "\n" + header
        kept = [
            dataclasses.replace(rule, extras=old[rule.name].extras)
            if rule.name in old
            else rule
            for rule in rules
        ]
        text = "\n".join([header, *map(str, kept)])
        (ROOT / folder / "BUILD").write_text(text, "utf-8")


def _folder(path: pathlib.PurePosixPath) -> str:
    return "" if path.parent.name == "" else str(path.parent)


def _label(path: pathlib.PurePosixPath) -> str:
    return f"//{_folder(path)}:{path.stem}"


def _kind(path: pathlib.PurePosixPath, tree: ast.Module) -> str:
    if path.name.endswith("_test.py"):
        return "pytest_test"
    is_script = any(
        isinstance(node, ast.If) and "__main__" in ast.dump(node.test)
        for node in tree.body
    )
    return "py_binary" if is_script else "py_library"


def _needs(
    path: pathlib.PurePosixPath,
    tree: ast.Module,
    files: set[pathlib.PurePosixPath],
) -> Iterator[pathlib.PurePosixPath]:
    """Yields the project's files that a file needs to be imported."""
    for name in _imported(tree):
        module = pathlib.PurePosixPath(*name.split("."))
        for candidate in (module.with_suffix(".py"), module / "__init__.py"):
            if candidate in files and candidate != path:
                yield candidate
    # Importing a module runs its packages' __init__.py; pytest loads conftest.py.
    implied = ["__init__.py"]
    if path.name.endswith("_test.py"):
        implied.append("conftest.py")
    for parent in path.parents:
        for name in implied:
            if parent / name in files and parent / name != path:
                yield parent / name


def _imported(tree: ast.Module) -> Iterator[str]:
    """Yields dotted names that may be modules, wherever they are imported."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _parse(call: ast.Call, text: str) -> Rule:
    assert isinstance(call.func, ast.Name)
    values = {keyword.arg: keyword.value for keyword in call.keywords}
    known = {
        name: ast.literal_eval(values.pop(name))
        for name in ("name", "srcs", "deps")
        if name in values
    }
    return Rule(
        kind=call.func.id,
        name=known["name"],
        srcs=tuple(known["srcs"]),
        deps=tuple(known.get("deps", ())),
        extras=tuple(
            (str(name), str(ast.get_source_segment(text, value)))
            for name, value in values.items()
        ),
    )


def _starlark(labels: tuple[str, ...]) -> str:
    if len(labels) == 1:
        return f'["{labels[0]}"]'
    return "[\n" + "".join(f'        "{label}",\n' for label in labels) + "    ]"


if __name__ == "__main__":
    main()
