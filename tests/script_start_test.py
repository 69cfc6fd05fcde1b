"""Every script, interrupted while it loads, or next to namesakes of its modules."""

import os
import pathlib
import subprocess
import sys

import pytest

from config import app

ROOT = pathlib.Path(app.__file__).resolve().parents[1]
SCRIPTS = [
    path.relative_to(ROOT)
    for path in sorted([*ROOT.glob("*.py"), *(ROOT / "convert").glob("*.py")])
    if "\nif __name__ == " in path.read_text(encoding="utf-8")
]
# The first module of others that every script loads: Ctrl-C comes in the middle of it.
INTERRUPTED = (
    "import os, signal, time\nos.kill(os.getpid(), signal.SIGINT)\ntime.sleep(9)"
)


def interrupted_in(folder, script):
    """The script, ended; modules in the folder go before those of others."""
    return subprocess.run(
        [sys.executable, str(ROOT / script)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(folder)},
    )


@pytest.mark.parametrize("script", SCRIPTS, ids=str)
def test_ctrl_c_while_it_loads_is_one_word(script, tmp_path):
    (tmp_path / "absl").mkdir()
    (tmp_path / "absl" / "__init__.py").write_text(INTERRUPTED)
    (tmp_path / "tensorflow.py").write_text(INTERRUPTED)
    done = interrupted_in(tmp_path, script)
    assert done.returncode == 130
    assert done.stderr == "interrupted\n"


@pytest.mark.parametrize(
    "script", ["train_image_classifier.py", "convert/recompute_batch_norm.py"]
)
def test_ctrl_c_while_tensorflow_loads_is_one_word(script, tmp_path):
    """Then, what is written to stderr is held back."""
    (tmp_path / "tensorflow.py").write_text(INTERRUPTED)
    done = interrupted_in(tmp_path, script)
    assert done.returncode == 130
    assert done.stderr == "interrupted\n"


def test_no_command_loads_tensorflow_with_all_that_it_says_on_the_way():
    for script in SCRIPTS:
        source = (ROOT / script).read_text(encoding="utf-8")
        assert "\nimport tensorflow" not in source, script


def test_there_are_such_scripts():
    assert len(SCRIPTS) >= 12
    assert pathlib.Path("predict_images.py") in SCRIPTS


@pytest.mark.parametrize("module", ["predict_images", "convert.inspect_checkpoint"])
def test_namesakes_in_the_users_folder_do_no_harm(module, tmp_path):
    for name in ("config", "datasets", "errors", "checkpoints", "nets"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("raise RuntimeError('shadow')")
    done = subprocess.run(
        [sys.executable, "-m", module, "--help"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "--checkpoint_path" in done.stdout
