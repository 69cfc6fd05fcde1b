"""The script as a process: what it says, what it leaves, how it exits."""

import json
import pathlib
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from checkpoints import slim_format
from nets.network import Network
from tests.engine import coloured_images

ROOT = pathlib.Path(__file__).resolve().parents[1]
MODEL = "mobilenet_v1_025"
IMAGE_SIZE = 32
PATIENCE_SECS = 300


class _Process:
    """Starts the script with flags, in parallel to others."""

    def __init__(self, folder: pathlib.Path, name: str, *flags: str) -> None:
        self.eval_dir = folder / f"eval_{name}"
        self._log = folder / f"{name}.log"
        script = str(ROOT / "eval_image_classifier.py")
        with open(self._log, "wb") as log:
            self._process = subprocess.Popen(
                [
                    *(sys.executable, script, f"--eval_dir={self.eval_dir}"),
                    *(
                        f"--dataset_name={coloured_images.NAME}",
                        f"--model_name={MODEL}",
                    ),
                    *(f"--dataset_dir={folder / 'data'}", "--batch_size=2"),
                    *(f"--eval_image_size={IMAGE_SIZE}", *flags),
                ],
                cwd=folder,
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    @property
    def output(self) -> str:
        return self._log.read_text(encoding="utf-8")

    def wait_for(self, text: str) -> None:
        deadline = time.monotonic() + PATIENCE_SECS
        while text not in self.output:
            assert self._process.poll() is None, self.output
            assert time.monotonic() < deadline, self.output
            time.sleep(0.1)

    def end_with(self, signal_number: int) -> int:
        self._process.send_signal(signal_number)
        return self.exit_status()

    def exit_status(self) -> int:
        try:
            return self._process.wait(PATIENCE_SECS)
        finally:
            self._process.kill()


@pytest.fixture
def folder(tmp_path):
    """With data/, whose split is called val."""
    coloured_images.write_split(tmp_path / "data", "val", [0, 1, 2], [0, 1, 2])
    return tmp_path


def _save(folder: pathlib.Path, step: int, values: dict[str, np.ndarray]) -> None:
    slim_format.write_checkpoint(
        str(folder / "run" / f"model.ckpt-{step}"),
        values | {"global_step": np.array(step)},
    )


def test_wrong_input_is_one_line_and_a_status(folder):
    (folder / "empty").mkdir()
    cases = {
        "flag": ("--checkpointpath=run", "checkpoint_path"),
        "folder": (f"--checkpoint_path={folder / 'empty'}", "no checkpoint in this"),
        "split": ("--dataset_split_name=test", "its splits are val"),
    }
    slim_format.write_checkpoint(str(folder / "model.ckpt"), {"a": np.zeros(1)})
    processes = {
        name: _Process(folder, name, f"--checkpoint_path={folder}", flag)
        for name, (flag, _) in cases.items()
    }
    for name, process in processes.items():
        assert process.exit_status() == 2, process.output
        last_line = process.output.splitlines()[-1]
        assert last_line.startswith("error: ")
        assert cases[name][1] in last_line
        assert "Traceback" not in process.output


def test_watching_evaluates_each_new_checkpoint_once(folder):
    network = Network(MODEL, num_classes=3, image_size=IMAGE_SIZE)
    values = {name: v.numpy() for name, v in network.model_variables.items()}
    watch = _Process(folder, "watch", "--checkpoint_path=run", "--eval_interval_secs=1")
    watch.wait_for("waiting for a new checkpoint")
    _save(folder, 1, values)
    watch.wait_for("model.ckpt-1 at step 1")
    _save(folder, 2, values)
    watch.wait_for("model.ckpt-2 at step 2")
    time.sleep(2)  # two looks

    assert watch.end_with(signal.SIGTERM) == 128 + signal.SIGTERM
    assert "no split 'test': evaluating" in watch.output
    assert watch.output.count("eval/Accuracy[") == 2
    assert "Traceback" not in watch.output
    metrics = json.loads((watch.eval_dir / "metrics.json").read_text())
    assert (metrics["step"], metrics["images"]) == (2, 3)
