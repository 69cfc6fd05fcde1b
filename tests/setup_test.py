"""A checkout is installed in editable mode or not at all."""

import pathlib
import shutil
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[1]


@pytest.mark.parametrize("command", ["bdist_wheel", "sdist"])
def test_what_could_be_installed_elsewhere_is_refused(command, tmp_path):
    shutil.copy(ROOT / "setup.py", tmp_path)
    done = subprocess.run(
        [sys.executable, "setup.py", "-q", command],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert "config, datasets and errors would overwrite" in line
    assert "git clone" in line
    assert not list(tmp_path.rglob("*.whl"))
    assert not list(tmp_path.rglob("*.tar.gz"))


def test_an_editable_install_has_the_version_of_the_project(tmp_path):
    source, target = tmp_path / "source", tmp_path / "target"
    (source / "config").mkdir(parents=True)
    for name in ("setup.py", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    version = (ROOT / "config/version.py").read_text("utf-8").replace("0.1.0", "7.8.9")
    (source / "config/version.py").write_text(version, "utf-8")
    # Only what the check is about: the other packages are not copied.
    text = (source / "pyproject.toml").read_text("utf-8")
    start = text.index("packages = [")
    end = text.index("[tool.pytest")
    text = text[:start] + 'packages = ["config"]\npy-modules = []\n\n' + text[end:]
    (source / "pyproject.toml").write_text(text, "utf-8")
    subprocess.run(
        [
            *(sys.executable, "-m", "pip", "install", "-q", "--no-build-isolation"),
            *("--no-deps", "--no-index", f"--target={target}", "-e", str(source)),
        ],
        check=True,
        capture_output=True,
    )
    (info,) = target.glob("*.dist-info")
    assert info.name == "slim_image_classifier-7.8.9.dist-info"
