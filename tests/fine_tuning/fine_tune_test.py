"""The whole command on a narrow net: stages, the best of them, kills, wrong input."""

import json
import pathlib
import re
import signal
import subprocess
import sys
import time
import types

import numpy as np
import pytest
from PIL import Image

from checkpoints.slim_format import write_checkpoint
from config import flags
from config.fine_tune_config import FineTuneConfig
from config.train_config import TrainConfig
from engine import train_loop
from engine.interruption import EXIT_TIME_LIMIT
from errors import UserError
from fine_tuning import fine_tune, stages, tuning_state
from fine_tuning.commands import merged
from nets.network import Network
from tests.engine import small_runs

SCRIPT = pathlib.Path(__file__).parents[2] / "fine_tune.py"
NET = "lenet"
SIZE = 28
COLOURS = {"red": (200, 40, 40), "green": (40, 180, 60)}
TRAINING = (
    *("--batch_size=8", "--num_preprocessing_threads=1", "--save_summaries_secs=0"),
    "--preprocessing_name=inception",
)
RECIPE = """
[head]
--trainable_scopes=head --checkpoint_exclude_scopes=head
--head_solver=logistic --feature_cache=disk
[all]
--learning_rate=0.001 --max_number_of_epochs=3
"""


def write_photos(folder, count=10, colours=COLOURS):
    random = np.random.default_rng(0)
    for name, colour in colours.items():
        (folder / name).mkdir(parents=True)
        for number in range(count):
            noise = random.integers(-40, 40, (SIZE, SIZE, 3))
            pixels = np.uint8(np.clip(noise * 4 + np.array(colour), 0, 255))
            Image.fromarray(pixels).save(folder / name / f"{number}.png")
    return folder


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    return write_photos(tmp_path_factory.mktemp("data") / "colours")


def write_weights(folder, net):
    network = Network(net, num_classes=5, image_size=SIZE)
    arrays = {n: v.numpy() for n, v in network.model_variables.items()}
    write_checkpoint(str(folder / "model.ckpt"), arrays)
    return folder / "model.ckpt"


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    return write_weights(tmp_path_factory.mktemp("weights"), NET)


@pytest.fixture(scope="module", autouse=True)
def small_net():
    """`--model_name=tiny` has two depths, so that a probe takes no time."""
    with small_runs.net_registered():
        yield


def run(photos, *arguments):
    config, given = flags.parse(FineTuneConfig, arguments)
    return fine_tune.fine_tune(config, [str(p) for p in photos], given=given)


def arguments_of(weights, output_dir, net=NET):
    return (
        f"--checkpoint_path={weights}",
        f"--output_dir={output_dir}",
        f"--model_name={net}",
        *TRAINING,
    )


def command_of(photos, weights, output_dir):
    """A process of its own: what makes results repeatable is switched on for good."""
    recipe = weights.parent / "recipe.txt"
    recipe.write_text(RECIPE)
    options = (*arguments_of(weights, output_dir), "--deterministic")
    options += (f"--recipe={recipe}", "--export_formats=frozen_graph")
    return [sys.executable, str(SCRIPT), str(photos), *options]


def finish(command):
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def tuned(photos, weights, tmp_path_factory):
    folder = tmp_path_factory.mktemp("tuned") / "run"
    finish(command_of(photos, weights, folder))
    return folder


def bytes_of(folder):
    """Content of every checkpoint below a folder, by path."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("model.ckpt-*")
    }


def test_the_best_stage_is_handed_out_with_all_that_belongs_to_it(tuned):
    record = json.loads((tuned / "fine_tune.json").read_text())
    scores = {}
    for stage in record["finished"]:
        history = json.loads((tuned / stage / "best" / "evaluations.json").read_text())
        scores[stage] = max((s["accuracy"], -s["loss"]) for s in history)
    # Of equals the earlier one, whatever their losses.
    best = max(scores, key=lambda stage: scores[stage][0])
    metrics = json.loads((tuned / "evaluation" / "metrics.json").read_text())
    assert metrics["accuracy"] == pytest.approx(scores[best][0])
    assert (tuned / "evaluation" / "report.html").exists()
    assert (tuned / "export" / "frozen_graph.pb").exists()
    assert json.loads((tuned / "model.json").read_text())["class_names"] == [
        *("green", "red"),
    ]
    (mine,) = tuned.glob("model.ckpt-*.index")
    assert mine.read_bytes() == (tuned / best / "best" / mine.name).read_bytes()


def test_what_is_handed_out_is_evaluated_by_one_flag(tuned):
    script = SCRIPT.parent / "eval_image_classifier.py"
    said = finish(
        [sys.executable, str(script), f"--checkpoint_path={tuned}", "--report"]
    )
    report = tuned / "eval" / "report.html"
    assert said.splitlines()[-1] == f"report: {report}"
    assert "no event files" not in report.read_text(), "they are in the stage's folder"
    ours, again = (
        json.loads((tuned / folder / "metrics.json").read_text())["accuracy"]
        for folder in ("evaluation", "eval")
    )
    assert ours == again


def test_the_same_command_again_trains_nothing(tuned, photos, weights):
    before = bytes_of(tuned)
    said = finish(command_of(photos, weights, tuned))
    assert bytes_of(tuned) == before
    assert "train_image_classifier.py" not in said
    first, where, predict = said.strip().splitlines()[-3:]
    assert ": accuracy " in first
    assert "95% interval" in first
    assert str(tuned) in where
    assert predict == f"python predict_images.py --checkpoint_path={tuned} PHOTO"


def test_a_run_stopped_at_any_moment_ends_with_the_same_bytes(
    tuned, photos, weights, tmp_path
):
    folder = tmp_path / "run"
    command = command_of(photos, weights, folder)
    for there, number, status in (
        ("data/dataset.json", signal.SIGKILL, -signal.SIGKILL),
        ("1-head/best/evaluations.json", signal.SIGKILL, -signal.SIGKILL),
        ("2-all/model.json", signal.SIGINT, 130),  # as Ctrl-C
    ):
        process = subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
        )
        while not (folder / there).exists() and process.poll() is None:
            time.sleep(0.02)
        process.send_signal(number)
        _, said = process.communicate()
        assert process.returncode == status, said
    assert "Traceback" not in said
    assert re.search("the same command continues", said)
    finish(command)
    assert bytes_of(folder) == bytes_of(tuned)


def test_a_dry_run_writes_nothing_and_shows_each_command(
    photos, weights, tmp_path, capsys
):
    folder = tmp_path / "run"
    assert run([photos], *arguments_of(weights, folder), "--dry_run") == 0
    assert not folder.exists()
    said = capsys.readouterr().out
    for script in ("convert/images_to_tfrecord", "probe_image", "train_image"):
        assert f"$ python {script}" in said
    assert "LeNet/fc4" in said  # of the plan


def test_without_a_recipe_the_head_is_solved_and_what_the_probe_says_is_opened(
    photos, tmp_path, capsys
):
    (tmp_path / "weights").mkdir()
    weights = write_weights(tmp_path / "weights", "tiny")
    folder = tmp_path / "run"
    options = arguments_of(weights, folder, "tiny")
    assert run([photos], *options, "--budget_mins=0") == 0
    assert not (folder / "probe").exists()
    assert not (folder / "2-top").exists()
    assert (
        run([photos], *options, "--budget_mins=5", "--export_formats=saved_model") == 0
    )
    said = capsys.readouterr().out
    found = json.loads((folder / "probe" / "probe.json").read_text())
    assert [depth["end_point"] for depth in found["depths"]] == ["Conv2d_1", "Conv2d_2"]
    assert f"--checkpoint_path={folder}/1-head/best" in said
    assert "--trainable_scopes=Tiny/Conv2d_2/.*weights,Tiny/Logits/" in said
    assert (folder / "export" / "saved_model").is_dir()
    with pytest.raises(UserError, match="other training flags"):
        run([photos], *options, "--seed=1")


def test_a_stage_that_diverges_leaves_the_head(photos, weights, tmp_path):
    recipe = tmp_path / "recipe.txt"
    recipe.write_text(RECIPE.replace("0.001", "1e30"))
    folder = tmp_path / "run"
    assert run([photos], *arguments_of(weights, folder), f"--recipe={recipe}") == 0
    assert (folder / "model.ckpt-1.index").exists()


def test_each_stage_starts_from_what_its_heading_says(
    photos, weights, tmp_path, capsys
):
    steps = "--max_number_of_steps=1\n"
    recipe = tmp_path / "recipe.txt"
    recipe.write_text(
        f"--checkpoint_exclude_scopes=head\n[first]\n{steps}[second]\n{steps}"
        f"[third from first]\n{steps}[again from weights]\n{steps}"
        f"[random from nothing]\n{steps}"
    )
    folder = tmp_path / "run"
    options = *arguments_of(weights, folder), f"--recipe={recipe}", "--dry_run"
    assert run([photos], *options) == 0
    said = capsys.readouterr().out
    commands = said.split("$ python train_image_classifier.py")[1:]
    first = f"{folder}/1-first"
    for command, start in zip(
        commands, [weights, first, first, weights, ""], strict=True
    ):
        lines = [line.strip(" \\'") for line in command.splitlines()]
        assert f"--checkpoint_path={start}" in lines


def test_no_photos_no_classes_no_place(photos, weights, tmp_path):
    (tmp_path / "empty").mkdir()
    options = arguments_of(weights, tmp_path / "run")
    with pytest.raises(UserError, match="a folder for each class"):
        run([tmp_path / "empty"], *options)
    one = write_photos(tmp_path / "one", colours={"red": COLOURS["red"]})
    with pytest.raises(UserError, match="1 class"):
        run([one], *arguments_of(weights, tmp_path / "run2"))
    for wrong, said in [
        ([], "no photos"),
        ([photos, photos], "2 folders of photos"),
        ([tmp_path / "none"], "does not exist"),
        (["ram://no/photos"], "ram://no/photos is no converted data set"),
        ([weights.parent / "model.ckpt.index"], "neither a folder nor a CSV"),
    ]:
        with pytest.raises(UserError, match=said):
            run(wrong, *options)
    with pytest.raises(UserError, match="is inside the folder of photos"):
        run([photos], *arguments_of(weights, photos / "run"))
    with pytest.raises(UserError, match=r"--train_dir is not a flag of fine_tune\.py"):
        run([photos], *options, "--train_dir=x")


def test_three_photos_a_class_are_enough(weights, tmp_path):
    few = write_photos(tmp_path / "few", count=3)
    options = arguments_of(weights, tmp_path / "run")
    assert run([few], *options, "--budget_mins=0") == 0


def test_what_cannot_be_exported_is_told_before_anything_is_done(
    photos, weights, tmp_path
):
    folder = tmp_path / "run"
    with pytest.raises(UserError, match=r"--formats=tflit: .*did you mean tflite"):
        run([photos], *arguments_of(weights, folder), "--export_formats=tflit")
    assert not folder.exists()


@pytest.mark.parametrize(
    ("flag", "message"),
    [
        ("--class_weights=balanced", "--class_weights=balanced has no effect with"),
        ("--mixup_alpha=0.2", "mix images, but --feature_cache trains"),
        ("--head_solver=logistic", "--trainable_scopes=head"),
    ],
)
def test_flags_that_a_stage_cannot_take_are_refused_before_anything_is_done(
    flag, message, photos, weights, tmp_path
):
    folder = tmp_path / "run"
    with pytest.raises(UserError, match=re.escape(message)):
        run([photos], *arguments_of(weights, folder), flag)
    assert not folder.exists()


def test_a_length_on_the_command_line_replaces_that_of_a_stage_in_the_other_unit():
    arguments = merged(
        TrainConfig, stages.OPENING.arguments, ["--max_number_of_steps=20"]
    )
    assert "--max_number_of_steps=20" in arguments
    assert not any(a.startswith("--max_number_of_epochs") for a in arguments)


def test_the_time_of_earlier_tries_counts_towards_the_budget(
    photos, weights, tmp_path, monkeypatch
):
    now, limits = [0.0], []
    train = train_loop.train

    def train_50_secs(config, *, given):
        if config.fine_tune.solves_head:
            return train(config, given=given)
        limits.append(config.run.max_run_secs)
        now[0] += 50
        return EXIT_TIME_LIMIT

    clock = types.SimpleNamespace(monotonic=lambda: now[0], time=time.time)
    monkeypatch.setattr(tuning_state, "time", clock)
    monkeypatch.setattr(train_loop, "train", train_50_secs)
    recipe = tmp_path / "recipe.txt"
    recipe.write_text(RECIPE)
    options = (*arguments_of(weights, tmp_path / "run"), "--budget_mins=2")
    for _ in range(4):
        assert run([photos], *options, f"--recipe={recipe}") == 0
    assert limits == [120, 70, 20]
