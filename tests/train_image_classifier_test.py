"""The script itself, as a process: signals, exit codes, one line for an error."""

import pathlib
import signal
import subprocess
import sys

import pytest

from tests.engine import coloured_images, small_runs

SCRIPT = pathlib.Path(__file__).resolve().parents[1] / "train_image_classifier.py"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Images in `images`; the runs of the tests go into `run`."""
    path = tmp_path_factory.mktemp("script")
    small_runs.write_images(path / "images")
    return path


def start(folder, *flags):
    """The process of the script on the images."""
    command = [
        sys.executable,
        str(SCRIPT),
        f"--dataset_name={coloured_images.NAME}",
        f"--dataset_dir={folder / 'images'}",
        f"--train_dir={folder / 'run'}",
        "--model_name=lenet",
        "--preprocessing_name=inception",
        "--batch_size=4",
        "--log_every_n_steps=1",
        "--save_summaries_secs=0",
        *flags,
    ]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def signal_after_a_step(process, number):
    """Sends the signal once a step is logged; returns all that stderr said."""
    said = ""
    for line in process.stderr:
        said += line
        if "global step" in line:
            process.send_signal(number)
            break
    return said + process.communicate()[1]


def test_ctrl_c_saves_and_sigterm_does_after_a_resume(folder):
    process = start(folder)
    said = signal_after_a_step(process, signal.SIGINT)
    assert process.returncode == 130, said
    assert "SIGINT: stopping after the current steps" in said
    (first,) = small_runs.steps_saved(folder / "run")
    assert first >= 1

    process = start(folder)
    said = signal_after_a_step(process, signal.SIGTERM)
    assert process.returncode == 143, said
    assert f"resuming from {folder / 'run'}/model.ckpt-{first}" in said
    steps = small_runs.steps_saved(folder / "run")
    assert steps[0] == first
    assert steps[-1] > first
    assert "Traceback" not in said


def test_a_wrong_scope_is_one_line_and_status_2(folder):
    process = start(folder, "--trainable_scopes=LeNet/fc_4", "--dry_run")
    out, said = process.communicate()
    assert process.returncode == 2
    assert out == ""
    (line,) = [line for line in said.splitlines() if line.startswith("error: ")]
    assert "--trainable_scopes: no variable matches" in line
    assert "LeNet/fc4" in line
    assert "Traceback" not in said
    assert said.splitlines()[-1] == line
