"""In every command, TensorFlow is first loaded by `common.quiet_tensorflow`."""

import ast
import pathlib
from collections.abc import Iterator

import pytest

ROOT = pathlib.Path(__file__).parents[2]
LOADERS = {"keras", "tensorflow", "tf_keras", "tf_slim"}
QUIET = "common/quiet_tensorflow.py"
# `fine_tune.py` imports this when it runs.
LATE = ROOT / "fine_tuning" / "fine_tune.py"
COMMANDS = [
    LATE,
    *(path for path in sorted(ROOT.glob("*.py")) if path.name != "setup.py"),
    *sorted((ROOT / "convert").glob("*.py")),
]


def imports_of(node: ast.AST) -> Iterator[str]:
    """Names of what a file imports when it is loaded, in order."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import):
            yield from (alias.name for alias in child.names)
        elif isinstance(child, ast.ImportFrom):
            yield child.module or ""
            yield from (f"{child.module}.{alias.name}" for alias in child.names)
        elif isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
            continue
        elif not isinstance(child, ast.FunctionDef):
            yield from imports_of(child)


def first_load(path: pathlib.Path, seen: set[str]) -> str | None:
    """The file whose import first loads TensorFlow; None if none does."""
    for name in imports_of(ast.parse(path.read_text())):
        parts = name.split(".")
        if parts[0] in LOADERS:
            return str(path.relative_to(ROOT))
        for end in range(1, len(parts) + 1):
            module = ".".join(parts[:end])
            if module in seen:
                continue
            seen.add(module)
            place = ROOT.joinpath(*parts[:end])
            for source in (place / "__init__.py", place.with_suffix(".py")):
                if source.exists() and (found := first_load(source, seen)):
                    return found
    return None


@pytest.mark.parametrize("command", COMMANDS, ids=lambda path: path.stem)
def test_it_is_loaded_quietly(command):
    package = command.parent / "__init__.py"
    found = package.exists() and first_load(package, set())
    assert (found or first_load(command, set())) in (QUIET, None)


def test_most_commands_load_it():
    found = [first_load(command, set()) for command in COMMANDS]
    assert found.count(QUIET) > 10
