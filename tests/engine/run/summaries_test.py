"""What TensorBoard finds in the folder of a run."""

import json

import numpy as np
import pytest
import tensorflow as tf
from tensorboard.backend.event_processing.plugin_event_accumulator import (
    EventAccumulator,
)
from tensorboard.plugins.histogram.summary_v2 import histogram_pb

from engine.run.summaries import _to_unit_range, buckets
from tests.engine import small_runs


def read_events(folder):
    """The events of a folder, all of them."""
    events = EventAccumulator(str(folder), size_guidance={"tensors": 0})
    events.Reload()
    return events


def values_of(events, tag):
    """Values of a scalar by step."""
    return {e.step: float(tf.make_ndarray(e.tensor_proto)) for e in events.Tensors(tag)}


@pytest.fixture(scope="module")
def events(full_run):
    return read_events(full_run)


def test_scalars_stand_at_every_log_line(events):
    tags = ["total_loss", "curves/loss", "regularization_loss"]
    tags += ["curves/learning_rate", "curves/accuracy"]
    for tag in tags:
        assert list(values_of(events, tag)) == [3, 6], tag
    total, data, penalty = (values_of(events, tag) for tag in tags[:3])
    for step, value in total.items():
        assert value == pytest.approx(data[step] + penalty[step], rel=1e-5)
    assert all(0 <= share <= 1 for share in values_of(events, tags[-1]).values())
    assert values_of(events, "curves/learning_rate") == pytest.approx(
        {3: 0.05, 6: 0.05}
    )


@pytest.mark.parametrize("tag", ["images/sec", "global_step/sec"])
def test_the_speed_is_there(events, tag):
    assert all(value > 0 for value in values_of(events, tag).values())


def test_the_plan_is_there_as_text(events):
    assert "plan" in events.PluginTagToContent("text")
    (event,) = events.Tensors("plan")
    text = event.tensor_proto.string_val[0].decode()
    assert "| Tiny/Conv2d_1 |" in text


def test_weights_and_activations_have_histograms(events, full_run):
    tags = set(events.PluginTagToContent("histograms"))
    saved = small_runs.read_all(full_run, 6)
    weights = {n.removesuffix("/Adam") for n in saved if n.endswith("/Adam")}
    assert weights
    outputs = {f"outputs/{n}" for n in ("Conv2d_1", "Conv2d_2", "AuxLogits")}
    assert tags == {f"weights/{name}" for name in weights} | outputs
    tag = "weights/Tiny/Logits/weights"
    buckets = tf.make_ndarray(events.Tensors(tag)[-1].tensor_proto)
    values = saved["Tiny/Logits/weights"]
    assert buckets[:, 2].sum() == values.size
    assert buckets[0, 0] == pytest.approx(values.min())
    assert buckets[-1, 1] == pytest.approx(values.max())


@pytest.mark.parametrize(
    "values", [np.linspace(-1, 3, 1000) ** 3, [[0.5, -2.0]], np.full([2, 3], -7.0)]
)
def test_histograms_are_those_of_tensorboard(values):
    values = np.asarray(values, np.float32)
    summary = histogram_pb("tag", values).value[0]
    theirs = tf.make_ndarray(summary.tensor)
    np.testing.assert_allclose(buckets(values), theirs, rtol=1e-5, atol=1e-6)


def test_histograms_leave_out_what_is_not_finite():
    counted = buckets(np.array([np.nan, 1.0, np.inf, 2.0]))
    assert counted[:, 2].sum() == 2
    assert (counted[0, 0], counted[-1, 1]) == (1, 2)
    assert not buckets(np.array([np.nan])).any()


def test_sparsity_is_the_share_of_zeros(events):
    for share in values_of(events, "sparsity/Conv2d_1").values():
        assert 0 <= share < 1


def test_augmented_images_are_there(events):
    assert list(events.PluginTagToContent("images")) == ["samples/augmented"]
    (*_, last) = events.Tensors("samples/augmented")
    width, height, *images = last.tensor_proto.string_val
    assert (width, height) == (b"16", b"16")
    assert len(images) == small_runs.BATCH_SIZE
    assert tf.io.decode_png(images[0]).shape == (16, 16, 3)


def test_the_curves_are_the_first_group(events):
    """Of all tags in TensorBoard's order; it opens the first two groups."""
    tags = {
        name: sorted(events.PluginTagToContent(name))
        for name in ("scalars", "images", "histograms", "text")
    }
    curves = ["curves/accuracy", "curves/learning_rate", "curves/loss"]
    assert tags["scalars"][:3] == curves
    groups = sorted({tag.split("/")[0] for of in tags.values() for tag in of})
    assert groups[:2] == ["curves", "global_step"]
    assert "weights/Tiny/Logits/weights" in tags["histograms"]


def test_without_the_flag_there_is_no_sparsity_and_cached_images_are_not_augmented(
    images_dir, tmp_path
):
    small_runs.train(
        dataset_dir=images_dir,
        train_dir=tmp_path,
        max_number_of_steps=1,
        save_summaries_secs=600,
        trainable_scopes="head",
        feature_cache="memory",
    )
    events = read_events(tmp_path)
    scalars = events.PluginTagToContent("scalars")
    assert not [tag for tag in scalars if "sparsity" in tag]
    assert list(events.PluginTagToContent("images")) == ["samples/as_in_evaluation"]


def test_of_a_solved_head_there_are_histograms_of_its_weights_alone(
    images_dir, tmp_path
):
    small_runs.train(
        dataset_dir=images_dir,
        train_dir=tmp_path,
        save_summaries_secs=600,
        trainable_scopes="head",
        head_solver="logistic",
        feature_cache="memory",
    )
    events = read_events(tmp_path)
    assert set(events.PluginTagToContent("histograms")) == {
        "weights/Tiny/Logits/biases",
        "weights/Tiny/Logits/weights",
    }
    assert list(events.PluginTagToContent("images")) == ["samples/as_in_evaluation"]


def test_validation_is_a_run_of_its_own_with_the_same_tag(full_run):
    events = read_events(full_run / "eval_validation")
    history = json.loads((full_run / "best" / "evaluations.json").read_text())
    assert [score["step"] for score in history] == [2, 4, 6]
    assert set(events.PluginTagToContent("scalars")) == {
        "curves/accuracy",
        "curves/loss",
    }
    for name in ("accuracy", "loss"):
        expected = {score["step"]: score[name] for score in history}
        assert values_of(events, f"curves/{name}") == pytest.approx(expected)


def test_images_are_scaled_to_what_tensorboard_shows():
    scaled = _to_unit_range(tf.constant([-1.0, 0.0, 1.0])).numpy()
    assert scaled.tolist() == [0.0, 0.5, 1.0]
    assert np.isfinite(_to_unit_range(tf.zeros([2, 2])).numpy()).all()


def test_a_killed_run_shows_one_line(images_dir, tmp_path):
    flags = {
        "dataset_dir": images_dir,
        "train_dir": tmp_path,
        "eval_split_name": "validation",
        "eval_every_n_steps": 1,
    }
    small_runs.train(max_number_of_steps=2, **flags)
    small_runs.train(max_number_of_steps=4, **flags)
    # As if the process had been killed at step 4, its last checkpoint that of step 2.
    for path in tmp_path.glob("model.ckpt-4*"):
        path.unlink()
    (tmp_path / "checkpoint").write_text('model_checkpoint_path: "model.ckpt-2"\n')
    # And as if the clock had been set back since, by an hour.
    for path in tmp_path.glob("events.*"):
        made_at = path.name.split(".")[3]
        later = path.name.replace(made_at, str(int(made_at) + 3600))
        path.rename(path.with_name(later))
    small_runs.train(max_number_of_steps=5, **flags)
    steps = [e.step for e in read_events(tmp_path).Tensors("total_loss")]
    assert steps == [1, 2, 3, 4, 5]
    validation = read_events(tmp_path / "eval_validation").Tensors("curves/accuracy")
    assert [e.step for e in validation] == [1, 2, 3, 4, 5]
