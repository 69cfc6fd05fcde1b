"""Runs compared through the real story."""

import shutil

import pytest

from checkpoints.slim_format import Checkpoint
from common import storage
from config.compare_config import CompareConfig, CompareOptions
from engine import compare
from engine.comparison import run_facts
from errors import UserError
from tests.engine import small_runs
from tests.engine.comparison.facts import facts

SLOTS = ("/Adam", "/Adam_1", "/ExponentialMovingAverage")


def test_a_real_run_and_a_recipe_of_it(full_run, tmp_path, capsys):
    for folder in ("single", "recipe/2-top", "recipe/1-head"):
        shutil.copytree(full_run, tmp_path / folder)
    (tmp_path / "other").mkdir()
    folders = [str(tmp_path / name) for name in ("single", "recipe", "other")]
    assert (
        compare.compare(CompareOptions(output_dir=str(tmp_path / "out")), folders) == 0
    )
    found, others = run_facts.find(folders)
    assert others == folders[2:]
    assert [run.recipe for run in found] == [None, folders[1], folders[1]]
    assert [run.folder[-6:] for run in found] == ["single", "1-head", "/2-top"]

    run = found[0]
    shapes = Checkpoint(str(full_run / "model.ckpt-6")).shapes
    names = [n for n in shapes if n.startswith("Tiny/") and not n.endswith(SLOTS)]
    trained = [n for n in names if "/moving_" not in n]
    sizes = small_runs.read_all(full_run, 6)
    assert run.num_trained == sum(sizes[n].size for n in trained)
    assert (run.step, run.steps_per_epoch) == (6, 3.0)
    assert [score.step for score in run.scores] == [2, 4, 6]
    assert {score.num_images for score in run.scores} == {5}
    assert run.secs is not None
    assert 0 < run.secs < 600
    assert "evaluate each with" in capsys.readouterr().out


def test_the_folder_of_a_fine_tuning_stands_for_its_stages(full_run, tmp_path):
    """It holds the best stage's checkpoint itself, as a run does."""
    for folder in ("tuned", "tuned/1-head", "tuned/2-top"):
        shutil.copytree(full_run, tmp_path / folder, dirs_exist_ok=True)
    found, others = run_facts.find([str(tmp_path / "tuned")])
    assert not others
    assert [run.folder[-6:] for run in found] == ["1-head", "/2-top"]


def test_runs_in_object_storage(full_run, tmp_path):
    (tmp_path / "notes.txt").write_text("no run")
    storage.upload_folder(str(tmp_path), "ram://compared/other")
    for folder in ("run", "tuned/1-head"):
        storage.upload_folder(str(full_run), f"ram://compared/{folder}")
    found, others = run_facts.find(
        [f"ram://compared/{name}" for name in ("run/", "run", "tuned", "other")]
    )
    assert others == ["ram://compared/other"]
    folders = ["ram://compared/run", "ram://compared/tuned/1-head"]
    assert [run.folder for run in found] == folders
    assert [run.step for run in found] == [6, 6]


def test_no_run_is_one_line(tmp_path):
    with pytest.raises(UserError, match="no runs: give folders"):
        compare.compare(CompareOptions(), [])
    with pytest.raises(UserError, match=r"no run in .*give folders of training runs"):
        compare.compare(CompareOptions(), [str(tmp_path)])


def test_a_folder_that_is_not_there_is_an_error(full_run, tmp_path):
    """Beside others, too: the comparison that was asked for cannot be made."""
    typo = tmp_path / "b"
    with pytest.raises(UserError, match=f"{typo}: there is no such run"):
        compare.compare(CompareOptions(), [str(full_run), str(typo)])


@pytest.mark.parametrize("epochs", ["one", "0", "-1", "inf"])
def test_epochs_are_numbers(epochs):
    with pytest.raises(
        UserError, match=f"--at_epochs={epochs}: expected positive numbers"
    ):
        CompareConfig(CompareOptions(at_epochs=epochs))


def test_other_images_cannot_be_compared():
    runs = [facts("a", {2: 0.5}), facts("b", {2: 0.4}), facts("c")]
    other = facts("d", {2: 0.3})
    score = other.scores[0]
    moved = type(score)(2, 0.3, 1.0, "val", "another", 100)
    runs.append(type(other)(**vars(other) | {"scores": (moved,)}))
    first, second = compare.remarks_on(runs)
    assert first.startswith("1 of 3 runs were validated on other images than a")
    assert second.startswith("The two best, a and b, were not both evaluated")
    assert compare.remarks_on([runs[2]])[0].startswith("No run was validated")
