"""Another command in a run's folder: said, refused, or the same run."""

import json
import logging
import shutil
import types
from typing import Any

import pytest

from checkpoints.run_info import RunInfo
from engine.run import rerun
from errors import UserError
from tests.engine import coloured_images, small_runs

pytestmark = pytest.mark.filterwarnings("ignore:`layer:UserWarning")
COLOURS = small_runs.COLOURS


@pytest.fixture
def run(full_run, full_run_flags, tmp_path):
    """Trains in a copy of the full run, of six steps, with other flags."""
    return _Run(shutil.copytree(full_run, tmp_path / "copy"), full_run_flags)


class _Run:
    def __init__(self, folder, flags):
        self.folder = folder
        self._flags = flags

    def __call__(self, **flags):
        return small_runs.train(train_dir=self.folder, **self._flags | flags)


@pytest.fixture
def said(caplog):
    caplog.set_level(logging.INFO, logger="absl")

    def said():
        before = "changed since the last command in this folder: "
        return [m.removeprefix(before) for m in caplog.messages if m.startswith(before)]

    return said


def test_a_finished_run_says_what_has_no_effect(run, said, caplog):
    assert run(learning_rate=0.1, batch_size=8, log_every_n_steps=7) == 0
    ends = ": no effect, since the run is finished; use another --train_dir"
    assert said() == [
        f"--batch_size was 4, is now 8{ends} to train with it",
        f"--learning_rate was 0.05, is now 0.1{ends} to train with it",
    ]
    assert "nothing to do: step 6 is already done" in caplog.messages
    assert small_runs.steps_saved(run.folder) == [6]


def test_a_longer_run_continues_and_says_from_where(run, said):
    flags = {"weight_decay": 0.5, "max_number_of_steps": 8, "ignore_missing_vars": True}
    flags["freeze_batch_norm"] = False
    assert run(**flags) == 0
    assert said() == [
        "--freeze_batch_norm was true, is now false: applies from step 7 on",
        "--weight_decay was 4e-05, is now 0.5: applies from step 7 on",
        "--ignore_missing_vars was false, is now true: no effect, since the run has"
        " started; use another --train_dir",
    ]
    record = json.loads((run.folder / "run.json").read_text())
    assert record["flags"]["weight_decay"] == 0.5
    assert run(**flags | {"max_number_of_steps": 9}) == 0
    assert len(said()) == 3, "nothing new to say of the third"


def test_flags_of_the_start_come_too_late(run, said):
    run(checkpoint_path="elsewhere", dry_run=True)
    assert said() == [
        "--checkpoint_path was not given, is now elsewhere: no effect, since the run"
        " has started; use another --train_dir"
    ]


def test_the_same_command_says_nothing_and_a_run_of_an_older_release_that(
    run, said, caplog
):
    assert run(save_interval_secs=5, max_number_of_steps=7) == 0
    assert "cannot be checked" not in caplog.text
    (run.folder / "run.json").unlink()
    assert run(learning_rate=0.1, max_number_of_steps=8) == 0
    assert said() == []
    assert f"{run.folder} has no run.json, as after training with slim" in caplog.text
    for name in ("run.json", "model.json"):
        (run.folder / name).unlink()
    assert run(dry_run=True) == 0
    assert "has no model.json and no run.json" in caplog.text


def test_another_net_is_refused_unless_nothing_was_trained(run):
    other = {"train_image_size": 24, "dry_run": True}
    with pytest.raises(UserError, match="other settings: image_size was 16, is now 24"):
        run(**other)
    for path in (*run.folder.glob("model.ckpt*"), run.folder / "checkpoint"):
        path.unlink()
    shutil.rmtree(run.folder / "best", ignore_errors=True)
    assert run(**other) == 0


@pytest.mark.parametrize("steps", [6, 8])
def test_other_data_of_the_same_classes_is_refused(run, tmp_path, steps):
    images = coloured_images.write_split(
        tmp_path / "other", "train", COLOURS, COLOURS[1:] + COLOURS[:1]
    )
    before = {p: p.read_bytes() for p in run.folder.rglob("*") if p.is_file()}
    with pytest.raises(UserError, match=r"trained on other data: split 'train' d"):
        run(
            dataset_dir=images,
            eval_split_name=None,
            eval_every_n_steps=None,
            max_number_of_steps=steps,
        )
    assert before == {p: p.read_bytes() for p in run.folder.rglob("*") if p.is_file()}


def test_data_that_was_moved_are_the_same(run, images_dir, tmp_path, said):
    moved = shutil.copytree(images_dir, tmp_path / "moved")
    assert run(dataset_dir=moved, max_number_of_steps=7) == 0
    assert said() == []


def test_a_run_continues_when_bad_records_are_skipped(run, said):
    assert run(max_bad_records=2, max_number_of_steps=7) == 0
    assert said() == ["--max_bad_records was 0, is now 2: applies from step 7 on"]


def test_another_validation_split_is_refused_before_the_first_step(run):
    with pytest.raises(
        UserError, match=r"on split 'validation', .*current split 'train'"
    ):
        run(eval_split_name="train", max_number_of_steps=8)
    assert small_runs.steps_saved(run.folder) == [6]
    assert run(eval_split_name=None, eval_every_n_steps=None) == 0


def test_a_new_run_does_not_replace_the_best_of_another(run, said):
    for path in run.folder.glob("model.ckpt-*"):
        path.unlink()
    (run.folder / "checkpoint").unlink()
    best = small_runs.steps_saved(run.folder / "best")
    with pytest.raises(UserError, match=r"best holds the best checkpoint of an earl"):
        run(learning_rate=0.1)
    (run.folder / "run.json").rename(run.folder / "aside")
    with pytest.raises(UserError, match="move it away, or use another --train_dir"):
        run()
    assert small_runs.steps_saved(run.folder / "best") == best
    # The same command: the run was killed before its first checkpoint.
    (run.folder / "aside").rename(run.folder / "run.json")
    assert run(dry_run=True) == 0


def test_the_length_counts_where_the_rate_ends_with_it(images_dir):
    dataset = coloured_images.get_split(images_dir, "train")

    def lengths(**flags):
        flags |= {"dataset_dir": images_dir, "train_dir": "", "max_number_of_steps": 6}
        recorded = rerun.info_of(small_runs.make_config(**flags), dataset).flags
        return {n: v for n, v in recorded.items() if n.startswith("max_number_of_")}

    assert lengths() == {}
    assert lengths(learning_rate_decay_type="cosine") == {
        "max_number_of_steps": 6,
        "max_number_of_epochs": None,
    }


@pytest.mark.parametrize("damage", ["", "[]", "{", '{"flags": 3}', '{"new": {}}'])
def test_a_damaged_record_is_one_line(run, damage):
    (run.folder / "run.json").write_text(damage)
    with pytest.raises(UserError, match=r"run\.json cannot be read") as raised:
        run()
    assert "\n" not in str(raised.value)


def test_a_split_that_is_mixed_in_stays_what_it_was(tmp_path):
    def info(name, fingerprint):
        flags = {"mixed_in_split_name": name}
        return RunInfo({}, flags, "train", "0", mixed_in_fingerprint=fingerprint)

    def resume(earlier, now):
        start: Any = types.SimpleNamespace(resumes=True)
        rerun.require_same_run(str(tmp_path), earlier, now, start)

    resume(info("pseudo", "1"), info("pseudo", "1"))
    resume(info(None, ""), info("pseudo", "1"))  # the log says so
    with pytest.raises(UserError, match="=pseudo whose files have changed since"):
        resume(info("pseudo", "1"), info("pseudo", "2"))
