"""README.md says what the scripts do: its flags exist, its tables are theirs."""

import re
import subprocess
import sys

import pytest

from tests import readme_flags

ROOT = readme_flags.README.parent
TEXT = readme_flags.README.read_text(encoding="utf-8")


def test_tables_of_flags_are_those_of_the_scripts():
    assert readme_flags.renewed(TEXT) == TEXT, "run `make format`"
    for script in readme_flags.SCRIPTS:
        assert f"<!-- flags of {script} -->" in TEXT


def commands() -> list[list[str]]:
    """Script and flags of every command in the README's code blocks."""
    blocks = re.findall(r"```(?:sh|bash)\n(.*?)```", TEXT, flags=re.DOTALL)
    lines = "\n".join(blocks).replace("\\\n", " ").splitlines()
    found = [re.findall(r"\S+\.py|--[a-z_]+", line) for line in lines]
    return [words for words in found if words and words[0].endswith(".py")]


def test_the_walk_has_its_three_commands():
    scripts = {words[0] for words in commands()}
    assert {
        "convert/images_to_tfrecord.py",
        "train_image_classifier.py",
        "eval_image_classifier.py",
    } <= scripts


@pytest.mark.parametrize("script", sorted({words[0] for words in commands()}))
def test_flags_of_the_commands_exist(script):
    process = subprocess.run(
        [sys.executable, script, "--help"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    known = set(re.findall(r"^  --(?:\[no\])?([a-z_0-9]+):", process.stdout, re.M))
    own = [words[1:] for words in commands() if words[0] == script]
    used = {flag[2:] for flags in own for flag in flags}
    assert used - {"help"} <= known


def test_links_lead_somewhere():
    for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", TEXT):
        assert (ROOT / target).exists(), target
