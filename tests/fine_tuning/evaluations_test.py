"""Evaluations of stages are made once for each checkpoint."""

import json
import pathlib

import numpy as np

from checkpoints.checkpoint_folder import CheckpointFolder
from checkpoints.model_info import ModelInfo
from fine_tuning import evaluations
from fine_tuning.photo_data import PhotoData


def save(folder, step):
    """Makes a step's checkpoint the best one of a stage."""
    best = CheckpointFolder(str(folder / "best"), keep=1)
    best.create(ModelInfo("lenet", 28, False, "lenet", 0, None, 2, None))
    best.save(step, {"global_step": np.array(step, np.int64)})


def test_a_better_checkpoint_is_evaluated_anew(tmp_path, monkeypatch):
    asked = []

    def run(data, split, checkpoint_path, eval_dir, *more):
        asked.append(split)
        figures = {"step": step, "accuracy": step / 100, "loss": 1.0, "images": 8}
        folder = pathlib.Path(eval_dir)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "metrics.json").write_text(json.dumps(figures | {"split": split}))

    monkeypatch.setattr(evaluations, "run", run)
    data = PhotoData("photos", "/data")
    for step in (10, 20):
        save(tmp_path, step)
        for _ in range(2):
            score = evaluations.of_stage(data, "test", str(tmp_path))
            assert (score.accuracy, score.num_images) == (step / 100, 8)
    assert asked == ["test", "test"]
    assert evaluations.read_of_stage(str(tmp_path), "validation") is None
