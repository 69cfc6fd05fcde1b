"""The pages say what the scripts do: flags exist, tables are theirs, links lead on."""

import pathlib
import re
import subprocess
import sys

import pytest

from tests import docs_tables

ROOT = docs_tables.ROOT
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(ROOT.glob("docs/*.md"))]
PAGES += [ROOT / "benchmarks/README.md", ROOT / "tests/faults/README.md"]
USER_PAGES = [page for page in PAGES if page.parent in (ROOT, ROOT / "docs")]


def text_of(page: pathlib.Path) -> str:
    return page.read_text(encoding="utf-8")


def test_tables_are_those_of_the_scripts_and_networks():
    for page in (docs_tables.FLAGS_PAGE, docs_tables.NETS_PAGE):
        assert docs_tables.renewed(text_of(page)) == text_of(page), "run `make format`"
    for script in docs_tables.SCRIPTS:
        assert f"<!-- flags of {script} -->" in text_of(docs_tables.FLAGS_PAGE)
    assert "<!-- table of the nets -->" in text_of(docs_tables.NETS_PAGE)


def commands(pages: list[pathlib.Path]) -> list[list[str]]:
    """Script and flags of every command in the code blocks of the pages."""
    text = "\n".join(map(text_of, pages))
    blocks = re.findall(r"```(?:sh|bash)\n(.*?)```", text, flags=re.DOTALL)
    lines = "\n".join(blocks).replace("\\\n", " ").splitlines()
    found = [re.findall(r"\S+\.py|--[a-z_]+", line) for line in lines]
    return [words for words in found if words and words[0].endswith(".py")]


def test_the_readme_is_short_and_has_the_three_commands_of_the_walk():
    assert len(text_of(ROOT / "README.md").splitlines()) <= 180
    scripts = {words[0] for words in commands([ROOT / "README.md"])}
    assert {
        "convert/images_to_tfrecord.py",
        "train_image_classifier.py",
        "eval_image_classifier.py",
    } <= scripts


SHOWN = sorted({words[0] for words in commands(USER_PAGES)})


@pytest.fixture(scope="module")
def helps(tmp_path_factory):
    """A folder with the `--help` of every command that the pages show."""
    folder = tmp_path_factory.mktemp("helps")
    command = [sys.executable, "-m", "tests.helps", str(folder), *SHOWN]
    subprocess.run(command, cwd=ROOT, check=True)
    return folder


@pytest.mark.parametrize("script", SHOWN)
def test_flags_of_the_commands_exist(helps, script):
    printed = (helps / script.replace("/", "-")).read_text()
    known = set(re.findall(r"^  --(?:\[no\])?([a-z_0-9]+):", printed, re.M))
    own = [words[1:] for words in commands(USER_PAGES) if words[0] == script]
    used = {flag[2:] for flags in own for flag in flags}
    assert used - {"help"} <= known


@pytest.mark.parametrize("script", SHOWN)
def test_commands_in_the_help_fit_a_terminal(helps, script):
    """Its paragraphs are filled anew there, its commands are not."""
    description = (helps / script.replace("/", "-")).read_text().partition(":\n  --")[0]
    lines = description.split("\n")
    shown = [line for line in lines if re.match(" |python ", line)]
    assert [line for line in shown if len(line) > 80] == []


# Flags on the pages that are not of the commands here, by what they belong to.
OTHER_FLAGS = {
    "absl, in every command": {"help", "flagfile", "version"},
    "a placeholder": {"name"},
    "TensorBoard": {"logdir"},
    "pytest": {"hypothesis-profile"},
    "SLURM": {
        *("array", "gpus-per-node", "jobid", "nodes", "ntasks-per-node"),
        *("overlap", "pty", "time"),
    },
    "slim, refused here": {"sync_replicas", "quantize_delay"},
}
# Pages about scripts with flags of their own kind.
PAGES_OF_SCRIPTS = {"benchmarks/README.md", "tests/faults/README.md"}


def test_every_flag_on_the_pages_is_one_of_a_command():
    known = set[str]().union(*OTHER_FLAGS.values())
    for source in [*ROOT.glob("config/**/*.py"), *ROOT.glob("convert/**/*.py")]:
        known |= set(re.findall(r"^    (\w+): .*= option\(", text_of(source), re.M))
    for page in PAGES:
        name = page.relative_to(ROOT).as_posix()
        if name in PAGES_OF_SCRIPTS:
            continue
        found = set(re.findall(r"(?<![\w-])--([a-z][\w-]*)", text_of(page)))
        unknown = {f for f in found - known if f.removeprefix("no") not in known}
        assert not unknown, name


def anchors(page: pathlib.Path) -> set[str]:
    """What `#…` may say of a page: its headings as GitHub makes anchors of them."""
    headings = re.findall(r"^#+ (.+)$", text_of(page), flags=re.MULTILINE)
    return {re.sub(r"[^\w -]", "", h.lower()).replace(" ", "-") for h in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\((?!https?:)([^)]+)\)", text_of(page)):
        name, _, anchor = target.partition("#")
        linked = page.parent / name if name else page
        assert linked.exists(), target
        if anchor:
            assert anchor in anchors(linked), target


def test_every_page_is_reached_from_the_readme():
    seen, to_read = set[pathlib.Path](), [ROOT / "README.md"]
    while to_read:
        page = to_read.pop()
        seen.add(page.resolve())
        links = re.findall(r"\]\((?!https?:|#)([^)#]+\.md)", text_of(page))
        to_read += [
            p for link in links if (p := (page.parent / link).resolve()) not in seen
        ]
    assert set(PAGES) <= seen


def test_names_of_files_and_folders_exist():
    """`engine/step/losses.py` and `engine/step/`: what the code is said to hold."""
    rooms = "checkpoints common config convert datasets deployment engine nets"
    rooms += " preprocessing tests fine_tuning cluster recipes launch benchmarks"
    pattern = rf"`((?:{rooms.replace(' ', '|')})/[\w./]*)`"
    for page in PAGES:
        for name in re.findall(pattern, text_of(page)):
            assert (ROOT / name).exists(), f"{page.relative_to(ROOT)}: {name}"
