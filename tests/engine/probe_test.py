"""A probe finds the depth from which classes can be told, and says what follows."""

import csv
import dataclasses
import json
import types
import typing

import numpy as np
import pytest

from checkpoints.slim_format import write_checkpoint
from config.probe_config import ProbeConfig
from datasets import input_pipeline
from engine import probe
from engine.head.linear_classifier import LinearClassifier
from engine.probing import depths, probe_report, probe_scores
from engine.probing.depths import Depth
from engine.probing.probe_report import Result
from engine.probing.probe_scores import Rise, Score
from engine.probing.trials import TooShortError
from errors import UserError
from nets.network import Network
from nets.new_head import NewHead
from tests.engine import coloured_images, small_runs

COLOURS = [0, 1, 2] * 10


def make_config(**values):
    values = {"dataset_name": coloured_images.NAME, "model_name": small_runs.NET} | {
        name: value if isinstance(value, int | float) else str(value)
        for name, value in values.items()
    }
    groups = {}
    for name, group in typing.get_type_hints(ProbeConfig).items():
        fields = [field.name for field in dataclasses.fields(group)]
        groups[name] = group(**{f: values.pop(f) for f in fields if f in values})
    assert not values, f"no such flags: {list(values)}"
    return ProbeConfig(**groups)


@pytest.fixture(scope="module")
def flags(tmp_path_factory):
    folder = tmp_path_factory.mktemp("probe")
    coloured_images.write_split(folder, "train", COLOURS, COLOURS)
    coloured_images.write_split(folder, "validation", COLOURS[:6], COLOURS[:6])
    run = tmp_path_factory.mktemp("source")
    small_runs.train(dataset_dir=folder, train_dir=run, max_number_of_steps=8)
    return {"dataset_dir": folder, "checkpoint_path": run}


@pytest.fixture(scope="module")
def probed(flags, tmp_path_factory):
    out, head = (tmp_path_factory.mktemp(name) for name in ("out", "head"))
    status = probe.probe(
        make_config(**flags, output_dir=out, output_checkpoint_dir=head)
    )
    assert status == 0
    return out, head


def test_every_depth_is_judged_by_the_same_folds(probed):
    out, _ = probed
    found = json.loads((out / "probe.json").read_text())
    assert [d["end_point"] for d in found["depths"]] == ["Conv2d_1", "Conv2d_2"]
    assert [d["num_features"] for d in found["depths"]] == [4, 6]
    assert found["num_images"] == 30
    assert found["held_out_split"] == "validation"
    # Batch norms keep their statistics.
    assert found["trainable_scopes"]["Conv2d_1"] == [
        *("Tiny/Conv2d_2/.*weights", "Tiny/Logits/"),
    ]
    assert found["depths"][0]["accuracy"] > 0.8  # colours: any depth tells them
    with open(out / "probe.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [float(row["accuracy"]) for row in rows] == [
        depth["accuracy"] for depth in found["depths"]
    ]
    assert (out / "probe.svg").read_text().startswith("<?xml")


def test_the_last_classifier_is_the_head_of_a_checkpoint(probed, flags):
    out, head = probed
    found = json.loads((out / "probe.json").read_text())
    weights = small_runs.read_all(head, 1)
    source = small_runs.read_all(flags["checkpoint_path"], 8)
    name = "Tiny/Conv2d_2/weights"
    np.testing.assert_array_equal(weights[name], source[name])
    record = json.loads((head / "model.json").read_text())
    assert record["num_classes"] == found["num_classes"] == 3
    with pytest.raises(UserError, match="holds checkpoints already"):
        probe.probe(make_config(**flags, output_checkpoint_dir=head))


def test_a_second_probe_computes_no_features(probed, flags, monkeypatch):
    refuse = None  # to be called is an error
    monkeypatch.setattr(input_pipeline, "eval_batches", refuse)
    assert probe.probe(make_config(**flags, probe_classifier="svm")) == 0


@pytest.mark.parametrize("end", [None, "Conv2d_11_pointwise"])
def test_the_head_is_trained_on_what_the_probe_computed(
    flags, tmp_path, monkeypatch, end
):
    """The net's own head, and the head of the net that ends where the probe says."""
    net = {"model_name": "mobilenet_v1_025", "train_image_size": 32}
    network = Network("mobilenet_v1_025", num_classes=3, image_size=32)
    arrays = {n: v.numpy() for n, v in network.model_variables.items()}
    values = {
        "dataset_dir": flags["dataset_dir"],
        "checkpoint_path": str(tmp_path / "model.ckpt"),
    }
    write_checkpoint(values["checkpoint_path"], arrays)

    def better_end(result):
        found = [score.depth for score in result.scores]
        return next((depth for depth in found if depth.end_point == end), None)

    def train(cache):
        assert not small_runs.train(
            **net,
            **values,
            **({"final_endpoint": end} if end else {}),
            feature_cache_dir=cache,
            train_dir=tmp_path / f"run_{cache.name}",
            checkpoint_exclude_scopes="head",
            trainable_scopes="head",
            head_solver="logistic",
            feature_cache="disk",
            eval_split_name="validation",
        )

    monkeypatch.setattr(Result, "better_end", property(better_end))
    probed, computed = tmp_path / "probed", tmp_path / "computed"
    assert probe.probe(make_config(**net, **values, feature_cache_dir=probed)) == 0
    train(computed)
    for file in computed.glob("*/*.bin"):
        kept = np.fromfile(probed / file.relative_to(computed), np.float32)
        np.testing.assert_allclose(kept, np.fromfile(file, np.float32), 1e-4, 1e-5)
    refuse = None  # to be called is an error
    monkeypatch.setattr(input_pipeline, "eval_batches", refuse)
    train(probed)


def test_commands_are_printed_and_fit_80_columns(flags, capsys):
    probe.probe(make_config(**flags))
    said = capsys.readouterr().out
    assert "--head_solver=logistic" in said
    assert "--trainable_scopes=Tiny/Conv2d_2/.*weights,Tiny/Logits/" in said
    table = said[: said.index("python ")]
    assert max(map(len, table.splitlines())) <= 80


def test_a_trial_trains_from_the_solved_head_and_leaves_no_runs(
    flags, tmp_path, capsys, monkeypatch
):
    # The fewest epochs show it: the head alone must not be right already.
    monkeypatch.setattr(LinearClassifier, "accuracy", lambda *_: 0.5)
    values = flags | {"output_dir": tmp_path, "trial_secs": 2.0}
    assert probe.probe(make_config(**values)) == 0
    (trial,) = json.loads((tmp_path / "probe.json").read_text())["trials"]
    assert trial["end_point"] == "Conv2d_1"  # the only depth before the last
    assert trial["epochs"] >= 1
    assert trial["accuracy"] > 0.8
    assert "after Conv2d_1" in capsys.readouterr().out
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        *("probe.csv", "probe.json", "probe.svg"),
    ]


def test_a_trial_too_short_for_an_epoch_says_how_long_one_is(flags, monkeypatch):
    monkeypatch.setattr(LinearClassifier, "accuracy", lambda *_: 0.5)
    with pytest.raises(TooShortError, match=r"Conv2d_1\): [\d.e-]+ seconds; raise it"):
        probe.probe(make_config(**flags, trial_secs=1e-9))


def test_a_trial_needs_a_split_to_compare_on(flags, tmp_path):
    coloured_images.write_split(tmp_path, "train", COLOURS, COLOURS)
    values = flags | {"dataset_dir": tmp_path, "trial_secs": 2.0}
    with pytest.raises(UserError, match="no split validation: name one"):
        probe.probe(make_config(**values))


@pytest.mark.parametrize(
    ("colours", "expected"),
    [([1, 1], "at least two classes"), ([0, 1, 2], "a class with at least two")],
)
def test_too_few_images_are_refused(flags, tmp_path, colours, expected):
    coloured_images.write_split(tmp_path, "train", colours, colours)
    with pytest.raises(UserError, match=expected):
        probe.probe(make_config(**flags | {"dataset_dir": tmp_path}))


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"checkpoint_path": "x"}, "--dataset_dir is missing"),
        ({"dataset_dir": "x"}, "--checkpoint_path is missing"),
        (
            {
                "dataset_dir": "x",
                "checkpoint_path": "y",
                "probe_classifier": "svm",
                "output_checkpoint_dir": "z",
            },
            "gives no probabilities",
        ),
    ],
)
def test_flags_that_do_not_fit_are_refused(values, expected):
    with pytest.raises(UserError, match=expected):
        make_config(**values)


def score(name, accuracy, error=0.02, screened=False):
    shown = None if screened else accuracy
    return Score(
        Depth(name, 8, name, (8,), (), ("w",), 0.5, True),
        *(accuracy, error, shown, shown, 1),
    )


def test_of_depths_within_an_error_the_deepest_is_chosen():
    scores = [score("a", 0.9), score("b", 0.96), score("c", 0.945), score("d", 0.93)]
    assert probe_scores.choose(scores).depth.end_point == "c"  # 0.96 - 0.02
    assert not probe_scores.is_similar(scores)
    scores[-1] = score("d", 0.94)
    assert probe_scores.is_similar(scores)


def test_of_depths_that_screen_alike_the_deeper_are_judged():
    assert probe_scores.to_judge([1.0, 1.0, 1.0, 0.9, 1.0, 0.8], 3) == {2, 4, 5}
    assert probe_scores.to_judge([0.5, 0.9, 0.7], 3) == {1, 2}


def test_a_screened_depth_is_never_chosen():
    scores = [score("a", 0.99, screened=True), score("b", 0.9)]
    assert probe_scores.choose(scores).depth.end_point == "b"


@pytest.mark.parametrize(
    ("accuracies", "rises"), [((0.7, 0.8, 0.9), True), ((0.8, 0.89, 0.9), False)]
)
def test_more_images_help_where_the_last_doubling_did(accuracies, rises):
    assert Rise((10, 20, 40), accuracies, 0.03).still_rises is rises


def test_the_verdict_names_the_depth():
    scores = [score("a", 0.96), score("b", 0.9)]
    said = " ".join(probe_scores.verdict(scores, Rise((10, 20), (0.8, 0.95), 0.02)))
    assert "different: a beats the last depth, 0.960 against 0.900" in said
    assert "small" in said
    assert "after a at a low rate" in said
    assert "but: " not in said
    last = dataclasses.replace(scores[-1], train_accuracy=1.0)
    said = probe_scores.verdict([scores[0], last], Rise((10,), (0.8,), 0.02))[-1]
    assert "classifies every training image correctly" in said


def test_the_checkpoint_in_object_storage_keeps_its_name():
    network = Network("lenet", num_classes=3)
    split = types.SimpleNamespace(name="pets", split_name="train", num_examples=9)
    scores = [Score(d, 0.9, 0.02, 0.95, None, 9) for d in depths.find_depths(network)]
    rise = Rise((10,), (0.5,), 0.02)
    path = "gs://bucket/lenet.ckpt"
    result = Result(scores, rise, network, split, None, path)  # type: ignore[arg-type]
    config = make_config(dataset_dir="photos", checkpoint_path=path)
    assert probe_report.as_json(result, config)["checkpoint"] == path


def test_where_an_early_depth_wins_a_net_that_ends_there_is_proposed():
    network = Network("lenet", num_classes=3)
    found = depths.find_depths(network)
    right = {"pool1": 0.9}
    scores = [
        Score(depth, right.get(depth.end_point, 0.6), 0.02, 0.95, None, 100)
        for depth in found
    ]
    rise = Rise((10, 20), (0.5, 0.6), 0.02)
    config = make_config(dataset_dir="photos", checkpoint_path="lenet.ckpt")
    result = Result(scores, rise, network, *(None, None, "lenet.ckpt"))  # type: ignore[arg-type]
    commands = dict(probe_report.commands(result, config))
    assert len(commands) == 3
    cut = commands["or the net up to pool1, with a head there, solved"]
    assert "--final_endpoint=pool1" in cut
    assert "--trainable_scopes=head" in cut
    similar = dataclasses.replace(result, scores=[*scores[:-1], scores[0]])
    assert len(probe_report.commands(similar, config)) == 2
    short = Network("lenet", num_classes=3, head=NewHead("pool2", (8,)))
    result = dataclasses.replace(similar, network=short)
    for command in dict(probe_report.commands(result, config)).values():
        assert "--final_endpoint=pool2" in command
        assert "--head_hidden_units=8" in command
        assert "--head_solver" not in command
