"""What tells machines apart that run the same command: their checkpoints and data."""

import shutil

import numpy as np
import pytest

from checkpoints import slim_format
from checkpoints.run_info import RunInfo
from config.eval_config import EvalConfig, EvalOptions
from config.shared_options import DataOptions, ModelOptions
from engine import evaluate
from engine.cluster import common_facts
from tests.engine import small_runs


@pytest.fixture
def machines(tmp_path):
    """Folders of two machines, whose files have the same names and sizes."""
    folders = [tmp_path / "a", tmp_path / "b"]
    for value, folder in enumerate(folders):
        prefix = folder / "run" / "model.ckpt-7"
        weights = {"w": np.full([3], value, np.float32)}
        slim_format.write_checkpoint(str(prefix), weights)
        slim_format.write_state(str(prefix.parent), [prefix.name])
        data = folder / "data"
        data.mkdir()
        (data / "dataset.json").write_text('{"classes": ["x", "y"]}')
        (data / "labels.txt").write_text("0:x\n1:y\n")
        (data / "d_train.tfrecord").write_bytes(b"x")
    return folders


def of_training(**flags):
    config = small_runs.make_config(**{"dataset_dir": "no data", **flags})
    return common_facts.of_training(config)


def of_evaluation(run, dataset_dir=None):
    data = DataOptions(dataset_dir=dataset_dir)
    config = EvalConfig(data, ModelOptions(), EvalOptions())
    return evaluate.facts(config, str(run / "model.ckpt-7"))


def differing(facts):
    a, b = facts
    return [name for name in a | b if a.get(name) != b.get(name)]


def test_the_newest_checkpoint_is_known_by_its_content(machines):
    facts = [of_training(train_dir=folder / "run") for folder in machines]
    assert differing(facts) == ["newest checkpoint in --train_dir"]
    assert set(differing(facts)) <= set(common_facts.REMEDIES)
    shutil.copytree(machines[0] / "run", machines[1] / "run", dirs_exist_ok=True)
    assert not differing([of_training(train_dir=f / "run") for f in machines])


def test_the_start_is_known_by_its_content(machines, tmp_path):
    def facts(train_dir):
        return [
            of_training(train_dir=train_dir, checkpoint_path=str(folder / "run"))
            for folder in machines
        ]

    differ = differing(facts(tmp_path / "new"))
    assert differ == ["checkpoint of --checkpoint_path"]
    assert set(differ) <= set(common_facts.REMEDIES)
    # A run that goes on restores nothing of it.
    assert not differing(facts(machines[0] / "run"))


def test_an_old_checkpoint_of_one_file_is_known_by_its_content(machines, tmp_path):
    for folder in machines:
        (folder / "net.ckpt").write_bytes(folder.name.encode())
    facts = [
        of_training(
            train_dir=tmp_path / "new", checkpoint_path=str(folder / "net.ckpt")
        )
        for folder in machines
    ]
    assert differing(facts) == ["checkpoint of --checkpoint_path"]


def test_the_evaluated_checkpoint_is_known_by_its_content(machines):
    facts = [of_evaluation(folder / "run") for folder in machines]
    assert differing(facts) == ["checkpoint"]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("dataset.json", '{"classes": ["y", "x"]}'),
        ("labels.txt", "0:y\n1:x\n"),
        ("d_train.tfrecord", "longer"),
    ],
)
def test_data_are_known_by_sizes_and_by_what_describes_them(machines, name, content):
    def facts():
        return [
            of_training(train_dir=machines[0] / "run", dataset_dir=folder / "data")
            for folder in machines
        ]

    assert not differing(facts())
    (machines[1] / "data" / name).write_text(content)
    assert differing(facts()) == ["files in --dataset_dir"]


def test_the_data_of_the_run_count_where_an_evaluation_names_none(machines):
    (machines[1] / "data" / "labels.txt").write_text("0:y\n1:x\n")
    run = machines[0] / "run"
    facts = []
    for folder in machines:
        RunInfo({}, {}, "train", "", dataset_dir=str(folder / "data")).write(str(run))
        facts.append(of_evaluation(run))
    assert differing(facts) == ["files in --dataset_dir"]
    assert facts[0] == of_evaluation(run, str(machines[0] / "data"))
