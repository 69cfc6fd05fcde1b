"""The state of an output folder: the same command continues, another is refused."""

import dataclasses
import os
import time

import pytest

from errors import UserError
from fine_tuning import tuning_state
from fine_tuning.tuning_state import TuningState

NOW = TuningState("/photos", None, ["--batch_size=8"])


def test_the_same_command_knows_what_is_finished(tmp_path):
    assert tuning_state.resumed(NOW, str(tmp_path / "new")) == NOW
    dataclasses.replace(NOW, finished=["1-head"]).write(str(tmp_path))
    assert tuning_state.resumed(NOW, str(tmp_path)).finished == ["1-head"]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"data": "/others"}, "other photos, /photos, not /others"),
        ({"recipe": [["a", ["--seed=1"]]]}, r"another recipe \(none.*\[a\] --seed=1"),
        ({"flags": []}, "other training flags .--batch_size=8; now none"),
    ],
)
def test_another_command_is_refused(tmp_path, changes, said):
    NOW.write(str(tmp_path))
    (tmp_path / ".fine_tune.lock").write_text("")
    other = dataclasses.replace(NOW, **changes)
    # A command that failed before it wrote anything else may be corrected.
    assert tuning_state.resumed(other, str(tmp_path)) == other
    (tmp_path / "1-head").mkdir()
    with pytest.raises(UserError, match=said):
        tuning_state.resumed(other, str(tmp_path))


def test_a_killed_try_counts_until_the_last_file_that_it_wrote(tmp_path):
    folder = str(tmp_path)
    state = dataclasses.replace(NOW, used_secs=10.0)
    with state.on_budget(folder):
        killed = tuning_state.resumed(NOW, folder)  # as after SIGKILL
        assert killed.used_secs < 20
        stage = tmp_path / "2-top"
        stage.mkdir()
        (stage / "model.ckpt").write_text("")
        os.utime(stage / "model.ckpt", times=(0, time.time() + 100))
        killed = tuning_state.resumed(NOW, folder)
        assert killed.used_secs == pytest.approx(110, abs=1)
    assert tuning_state.resumed(NOW, folder).used_secs < 20


def test_a_folder_with_other_things_is_in_use(tmp_path):
    (tmp_path / "thesis.tex").write_text("")
    with pytest.raises(UserError, match=r"is not empty: it holds 'thesis.tex'"):
        tuning_state.resumed(NOW, str(tmp_path))


def test_a_damaged_record_is_refused(tmp_path):
    (tmp_path / tuning_state.FILE_NAME).write_text('{"data": 1}')
    with pytest.raises(UserError, match="cannot be read"):
        tuning_state.resumed(NOW, str(tmp_path))
