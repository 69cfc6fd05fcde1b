"""Stages that train nothing: labels, averages, evaluations, and the table of all."""

import csv
import json
import re

import numpy as np
import pytest
from PIL import Image

from checkpoints.slim_format import Checkpoint, write_checkpoint
from config import flags
from config.fine_tune_config import FineTuneConfig
from convert import pseudo_label
from errors import UserError
from fine_tuning import fine_tune
from nets import nets_factory
from nets.network import Network
from tests.engine import small_runs

COLORS = {"blue": (40, 40, 200), "red": (200, 40, 40)}
COMMON = (
    *("--model_name=tiny", "--batch_size=4", "--num_preprocessing_threads=1"),
    *("--save_summaries_secs=0", "--recompute_batch_norm=false"),
)
RECIPE = """
[probe from weights with probe_image_classifier]
[head]
--checkpoint_exclude_scopes=head --trainable_scopes=head
--head_solver=logistic --feature_cache=disk
[labels with pseudo_label]
--threshold=0.3
[mixed from head]
--mixed_in_split_name=pseudo --mixed_in_fraction=0.25 --max_number_of_steps=2
[other from head]
--learning_rate=0.001 --max_number_of_steps=2
[mean from mixed, other with average_checkpoints]
[views from mixed, mean with eval_image_classifier]
--tta=flip
"""


def write_photos(folder, count):
    random = np.random.default_rng(count)
    for name, color in COLORS.items():
        (folder / name).mkdir(parents=True)
        for number in range(count):
            noise = random.integers(-40, 40, (16, 16, 3))
            pixels = np.uint8(np.clip(noise + np.array(color), 0, 255))
            Image.fromarray(pixels).save(folder / name / f"{number}.png")
    return folder


def fine_tuned(photos, *arguments):
    config, given = flags.parse(FineTuneConfig, (*COMMON, *arguments))
    return fine_tune.fine_tune(config, [str(photos)], given=given)


@pytest.fixture(scope="module", autouse=True)
def tiny_net():
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(nets_factory.NETWORKS, small_runs.NET, small_runs.NET_ENTRY)
        yield


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Photos, others, weights, and a recipe; not run."""
    folder = tmp_path_factory.mktemp("made")
    write_photos(folder / "photos", 10)
    write_photos(folder / "more", 4)
    network = Network("tiny", num_classes=5)
    arrays = {n: v.numpy() for n, v in network.model_variables.items()}
    write_checkpoint(str(folder / "model.ckpt"), arrays)
    (folder / "recipe.txt").write_text(RECIPE)
    return folder


def options_of(made, output_dir):
    return (
        f"--recipe={made / 'recipe.txt'}",
        f"--checkpoint_path={made / 'model.ckpt'}",
        f"--output_dir={output_dir}",
    )


def unlabeled(made):
    return f"--unlabeled_dir={made / 'more'}"


def test_a_recipe_of_all_commands_ends_in_one_table(
    made, tmp_path, monkeypatch, capsys
):
    run = tmp_path / "run"
    options = *options_of(made, run), unlabeled(made)
    written = pseudo_label.write_split

    def killed(config):
        written(config)
        raise KeyboardInterrupt

    # It ends between writing the split and noting it, and continues from there.
    with monkeypatch.context() as patch:
        patch.setattr(pseudo_label, "write_split", killed)
        with pytest.raises(KeyboardInterrupt):
            fine_tuned(made / "photos", *options)
    monkeypatch.setattr(pseudo_label, "write_split", None)
    assert fine_tuned(made / "photos", *options) == 0
    folders = ["2-head", "4-mixed", "5-other", "6-mean", "7-views"]
    with open(run / "stages.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["stage"] for row in rows] == folders
    metrics = json.loads((run / "7-views" / "metrics.json").read_text())
    assert float(rows[-1]["accuracy"]) == metrics["accuracy"]
    assert metrics["tta"] == "flip"
    assert {row["images"] for row in rows} == {str(metrics["images"])}
    said = capsys.readouterr().out
    assert "95% interval" in said
    assert (run / "1-probe" / "probe.json").exists()
    info = json.loads((run / "data" / "dataset.json").read_text())
    assert info["splits"]["pseudo"]["num_examples"] > 0

    name = "Tiny/Logits/biases"
    mixed, other, mean = (
        Checkpoint(str(next(run.glob(f"{f}/best/*.index")).with_suffix(""))).read(name)
        for f in ("4-mixed", "5-other", "6-mean")
    )
    np.testing.assert_allclose(mean, (mixed + other) / 2, rtol=1e-6)
    assert not np.array_equal(mixed, other)

    # The same command again does nothing again.
    assert fine_tuned(made / "photos", *options) == 0
    again = capsys.readouterr().out
    scripts = re.findall(r"\$ python (\S+)\.py", again)
    assert scripts == ["convert/images_to_tfrecord", "eval_image_classifier"]


@pytest.mark.parametrize("start", ["model.ckpt", ""])
def test_a_dry_run_shows_what_is_still_to_come(made, tmp_path, capsys, start):
    recipe = tmp_path / "recipe.txt"
    recipe.write_text(RECIPE[RECIPE.index("[head]") :])
    options = (
        f"--recipe={recipe}",
        f"--checkpoint_path={start and made / start}",
        f"--output_dir={tmp_path / 'run'}",
        unlabeled(made),
        "--dry_run",
    )
    if not start:  # of which nothing is excluded
        text = recipe.read_text().replace("--checkpoint_exclude_scopes=head", "")
        recipe.write_text(text)
    assert fine_tuned(made / "photos", *options) == 0
    said = capsys.readouterr().out
    scripts = re.findall(r"\$ python (\S+)\.py", said)
    train, evaluate = "train_image_classifier", "eval_image_classifier"
    middle = ["convert/pseudo_label", train, train, "convert/average_checkpoints"]
    assert scripts == ["convert/images_to_tfrecord", train, *middle, evaluate]
    assert "planned without photos mixed in" in said
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("more", "recipe", "said"),
    [
        ([], None, r"stage \[labels\] labels photos .*--unlabeled_dir"),
        (["--unlabeled_dir=none"], None, "--unlabeled_dir=none is no folder"),
        (
            ["--unlabeled_dir=none"],
            "[a]\n--max_number_of_steps=1\n",
            "--unlabeled_dir=none and no stage that labels photos: add a --recipe",
        ),
    ],
)
def test_unlabeled_photos_and_a_stage_that_labels_go_together(
    made, tmp_path, more, recipe, said
):
    options = options_of(made, tmp_path / "run")
    if recipe:
        (tmp_path / "recipe.txt").write_text(recipe)
        options = *options, f"--recipe={tmp_path / 'recipe.txt'}"
    with pytest.raises(UserError, match=said):
        fine_tuned(made / "photos", *options, *more)
    assert not (tmp_path / "run").exists()
