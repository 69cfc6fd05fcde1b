"""SIGTERM to a real training process."""

import pathlib
import signal
import subprocess
import sys
import time

import pytest

from checkpoints import slim_format
from checkpoints.slim_format import Checkpoint
from tests.engine import coloured_images

ROOT = pathlib.Path(__file__).parents[2]
SCRIPT = ROOT / "train_image_classifier.py"


@pytest.fixture
def train(images_dir, tmp_path):
    """Starts training without end, by a command; gives the process in its steps."""
    started = []

    def train():
        flags = (
            *(f"--dataset_name={coloured_images.NAME}", f"--dataset_dir={images_dir}"),
            *("--model_name=mobilenet_v1_025", "--train_image_size=32"),
            *("--batch_size=4", "--log_every_n_steps=1", "--save_summaries_secs=0"),
            f"--train_dir={tmp_path}",
        )
        process = subprocess.Popen(
            [sys.executable, str(SCRIPT), *flags],
            cwd=ROOT,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        wait_for(process, "global step")
        return process

    yield train
    for process in started:
        process.kill()
        process.wait()


def wait_for(process, text):
    said = []
    for line in process.stderr:
        said.append(line)
        if text in line:
            return
    pytest.fail(f"no {text!r} in {''.join(said)}")


def test_a_signal_saves_and_ends_soon(train, tmp_path):
    process = train()
    process.send_signal(signal.SIGTERM)
    sent_at = time.monotonic()
    _, said = process.communicate()
    assert time.monotonic() - sent_at < 10
    assert process.returncode == 128 + signal.SIGTERM
    assert "the same command continues the run" in said
    checkpoint = Checkpoint(slim_format.find_checkpoint(str(tmp_path)))
    assert all(checkpoint.read(name).size for name in checkpoint.shapes)
