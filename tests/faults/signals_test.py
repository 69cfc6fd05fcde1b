"""SIGTERM to a real training process, once and twice."""

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
NEVER_SAVES = f"""
import runpy, time
from engine.saver import Saver
Saver.save = lambda self, step: time.sleep(600)
runpy.run_path({str(SCRIPT)!r}, run_name="__main__")
"""


@pytest.fixture
def train(images_dir, tmp_path):
    """Starts training without end, by a command; gives the process in its steps."""
    started = []

    def train(*command):
        flags = (
            *(f"--dataset_name={coloured_images.NAME}", f"--dataset_dir={images_dir}"),
            *("--model_name=mobilenet_v1_025", "--train_image_size=32"),
            *("--batch_size=4", "--log_every_n_steps=1", "--save_summaries_secs=0"),
            f"--train_dir={tmp_path}",
        )
        process = subprocess.Popen(
            [sys.executable, *command, *flags],
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


def content(folder):
    return {p.name: p.read_bytes() for p in folder.iterdir() if "ckpt" in p.name}


def test_one_signal_saves_and_ends_soon_and_a_second_ends_at_once(train, tmp_path):
    process = train(str(SCRIPT))
    process.send_signal(signal.SIGTERM)
    sent_at = time.monotonic()
    _, said = process.communicate()
    assert time.monotonic() - sent_at < 10
    assert process.returncode == 128 + signal.SIGTERM
    assert "the same command goes on" in said
    before = content(tmp_path)

    process = train("-c", NEVER_SAVES)
    process.send_signal(signal.SIGTERM)
    wait_for(process, "once more ends at once")
    process.send_signal(signal.SIGTERM)
    sent_at = time.monotonic()
    assert process.wait() == -signal.SIGTERM
    assert time.monotonic() - sent_at < 10
    assert content(tmp_path) == before
    checkpoint = Checkpoint(slim_format.find_checkpoint(str(tmp_path)))
    assert all(checkpoint.read(name).size for name in checkpoint.shapes)
