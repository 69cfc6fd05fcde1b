"""Rooms and files import only what lies below them, and never in a circle."""

import ast
import graphlib
import pathlib
import re
from collections.abc import Iterator, Mapping

import pytest

from tests.bazel import build_files

# From the ground up. A room may import rooms of its own floor and of those below.
FLOORS = (
    ("errors", "script_start"),
    ("cluster", "common", "config"),
    ("nets", "datasets", "preprocessing", "checkpoints", "deployment"),
    ("engine",),
    ("convert",),
    ("fine_tuning",),
)
_FLOOR_OF = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}
_SCRIPTS = len(FLOORS)  # every other file of the root
# Rooms of their own within a floor, as engine/step is. A file that stands
# directly in one of these folders is a room by itself.
_WITH_ROOMS = {"engine", "convert", "datasets"}
# Tools that belong to no room.
_OUTSIDE = {"tests", "benchmarks", "demo"}

Files = Mapping[str, str]
Graph = dict[str, set[str]]


def floor(room: str) -> int:
    return _FLOOR_OF.get(room.split(".")[0], _SCRIPTS)


def imported(text: str, files: Files) -> Iterator[str]:
    """The modules among `files` that a source imports, inside functions too."""
    for node in ast.walk(ast.parse(text)):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, "imports name their module in full"
            whole = [f"{node.module}.{alias.name}" for alias in node.names]
            names = [name if name in files else str(node.module) for name in whole]
        yield from (name for name in names if name in files)


def room_of(module: str) -> str:
    parts = module.split(".")
    return ".".join(parts[:2]) if parts[0] in _WITH_ROOMS else parts[0]


def faults(files: Files) -> list[str]:
    """What is wrong with the imports of some files, given as module → source."""
    found = []
    graphs: dict[str, Graph] = {"rooms": {}, "files": {}}
    for module, text in files.items():
        room = room_of(module)
        for other in imported(text, files):
            if floor(other) > floor(module):
                found.append(f"{module} imports {other}, of a floor above")
            if room_of(other) != room:
                graphs["rooms"].setdefault(room, set()).add(room_of(other))
            graphs["files"].setdefault(module, set()).add(other)
    circles = [(what, circle_in(graph)) for what, graph in graphs.items()]
    return found + [f"{what} in a circle: {c}" for what, c in circles if c]


def circle_in(graph: Graph) -> str:
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        return " → ".join(reversed(error.args[1]))
    return ""


def _house() -> dict[str, str]:
    files = {}
    for path in map(pathlib.PurePosixPath, build_files.tracked("*.py")):
        parts = path.with_suffix("").parts
        if path.suffix == ".py" and parts[0] not in _OUTSIDE:
            module = ".".join(parts).removesuffix(".__init__")
            files[module] = (build_files.ROOT / path).read_text("utf-8")
    return files


def test_rooms_import_downwards_and_not_in_circles():
    house = _house()
    assert {"train_image_classifier", "engine.train_loop", "convert.photos.splits"} <= (
        set(house)
    )
    assert not faults(house)


def test_the_page_lists_the_floors_from_the_top():
    page = (build_files.ROOT / "docs/architecture.md").read_text("utf-8")
    table = page.partition("\n\nBeside these")[0].partition("|---|---|\n")[2]
    rooms = [
        tuple(re.findall(r"`(\w+)(?:/|\.py)`", row.split("|")[1]))
        for row in table.splitlines()
    ]
    assert rooms == [(), *reversed(FLOORS)]


def test_every_folder_has_a_floor():
    folders = {module.split(".")[0] for module in _house() if "." in module}
    assert folders <= set(_FLOOR_OF)


@pytest.mark.parametrize(
    ("files", "fault"),
    [
        ({"nets.a": "import engine.b", "engine.b": ""}, "nets.a imports engine.b, of"),
        (
            {"common.a": "def f():\n    from nets import b", "nets.b": ""},
            "common.a imports nets.b, of",
        ),
        ({"engine.a": "import train", "train": ""}, "engine.a imports train, of"),
        (
            {"nets.a": "from datasets import b", "datasets.b": "import nets.a"},
            "rooms in a circle",
        ),
        (
            {
                "engine.step.a": "from engine.run.b import c",
                "engine.run.b": "",
                "engine.run.d": "import engine.step.a",
            },
            "rooms in a circle",
        ),
        (
            {"nets.a": "import nets.b", "nets.b": "def f():\n    import nets.a"},
            "files in a circle",
        ),
    ],
)
def test_a_fault_is_found(files, fault):
    assert [found for found in faults(files) if found.startswith(fault)]


def test_a_room_may_import_itself_and_those_below():
    files = {
        "engine.step.a": "import engine.step.b, common.c",
        "engine.step.b": "from engine.step import d",
        "engine.step.d": "",
        "common.c": "",
    }
    assert not faults(files)
