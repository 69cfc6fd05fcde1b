"""Every recipe runs: two steps a stage, on narrow nets and tiny images."""

import dataclasses
import json
import pathlib

import pytest

from checkpoints.slim_format import write_checkpoint
from config import flags
from config.fine_tune_config import FineTuneConfig
from config.train_config import TrainConfig
from fine_tuning import fine_tune, recipes, results
from nets import nets_factory
from nets.network import Network
from tests.engine import coloured_images, small_runs

RECIPES = pathlib.Path(__file__).parents[2] / "recipes"
# Nets with the same scopes that build and train in seconds.
NARROW = {"mobilenet_v1": ("mobilenet_v1_025", 32)}
SMALL = (
    *("--batch_size=2", "--num_preprocessing_threads=1", "--save_summaries_secs=0"),
    "--recompute_batch_norm=false",
)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return small_runs.write_images(tmp_path_factory.mktemp("coloured"))


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory):
    """The path of a checkpoint of each narrow net, by the name that recipes use."""
    paths = {}
    for name, (narrow, size) in NARROW.items():
        network = Network(narrow, num_classes=5, image_size=size)
        arrays = {n: v.numpy() for n, v in network.model_variables.items()}
        paths[name] = str(tmp_path_factory.mktemp("weights") / f"{name}.ckpt")
        write_checkpoint(paths[name], arrays)
    return paths


def shortened(stage):
    """A stage's section with two steps in place of its epochs."""
    values = flags.values_of(TrainConfig, stage.arguments)
    for name in ("model_name", "batch_size", "train_image_size", "checkpoint_path"):
        values.pop(name, None)
    if values.pop("max_number_of_epochs", None):
        values["max_number_of_steps"] = 2
    if values.get("warmup_epochs"):
        values["warmup_epochs"] = 0.1
    return "\n".join([f"[{stage.heading}]", *flags.as_arguments(values)])


@pytest.mark.parametrize("path", sorted(RECIPES.glob("*.txt")), ids=lambda p: p.stem)
def test_a_recipe_runs(path, data, checkpoints, tmp_path, monkeypatch):
    # The whole command is tested in fine_tune_test.py: here it ends after the stages.
    monkeypatch.setattr(results, "hand_out", lambda *_: None)
    stages = recipes.read(str(path))
    values = flags.values_of(TrainConfig, stages[0].arguments)
    net = values["model_name"]
    if net in NARROW:
        narrow, size = NARROW[net]
        entry = dataclasses.replace(nets_factory.NETWORKS[narrow], image_size=size)
        monkeypatch.setitem(nets_factory.NETWORKS, net, entry)
    start = values.get("checkpoint_path", checkpoints.get(net))
    recipe = tmp_path / "short.txt"
    above = f"--model_name={net} --train_image_size=32 --checkpoint_path={start}"
    recipe.write_text("\n".join([above, *map(shortened, stages)]))
    options = (
        *(f"--recipe={recipe}", f"--output_dir={tmp_path / 'run'}", *SMALL),
        *(f"--dataset_name={coloured_images.NAME}", f"--dataset_dir={data}"),
    )
    config, given = flags.parse(FineTuneConfig, options)
    assert fine_tune.fine_tune(config, [], given=given) == 0
    record = json.loads((tmp_path / "run" / "fine_tune.json").read_text())
    folders = [f"{i}-{stage.name}" for i, stage in enumerate(stages, 1)]
    assert record["finished"] == folders
