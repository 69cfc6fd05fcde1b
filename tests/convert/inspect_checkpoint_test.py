"""What a checkpoint is said to hold, which nets it fits, how two differ."""

import dataclasses

import numpy as np
import pytest

from checkpoints import model_info, slim_format
from checkpoints.model_info import ModelInfo
from convert import inspect_checkpoint
from convert.weights import fit_text, net_fit
from nets.network import Network
from nets.new_head import NewHead

NET = "mobilenet_v1_025"
HEAD = "MobilenetV1/Logits"
FIRST = "MobilenetV1/Conv2d_0/weights"


@pytest.fixture(scope="module")
def shapes():
    return net_fit.net_shapes(NET, 7)


def _write(tmp_path, tensors, name="model.ckpt-5"):
    slim_format.write_checkpoint(str(tmp_path / name), tensors)
    return slim_format.Checkpoint(str(tmp_path / name))


def _line(text, beginning):
    (line,) = [row for row in text.splitlines() if row.split()[:1] == [beginning]]
    return line.split()


def test_companions_are_told_from_variables():
    contents = inspect_checkpoint.sort_names(
        {
            "Net/Mixed_10/weights": (2, 3),
            "Net/Mixed_9/weights": (4,),
            "Net/Mixed_9/weights/ExponentialMovingAverage": (4,),
            "Net/Mixed_9/weights/RMSProp": (4,),
            "Net/Mixed_9/weights/RMSProp_1": (4,),
            "global_step": (),
            "beta1_power": (),
        }
    )
    assert list(contents.variables) == ["Net/Mixed_9/weights", "Net/Mixed_10/weights"]
    assert contents.averages == ("Net/Mixed_9/weights",)
    assert contents.slots == {
        "RMSProp": ("Net/Mixed_9/weights",),
        "RMSProp_1": ("Net/Mixed_9/weights",),
    }
    assert list(contents.others) == ["beta1_power", "global_step"]


def test_a_checkpoint_is_described_by_scope(tmp_path):
    weights = np.ones((2, 3), np.float32)
    checkpoint = _write(
        tmp_path,
        {
            "Net/Conv/weights": weights,
            "Net/Conv/biases": weights[0],
            "Net/Conv/weights/Momentum": weights,
            "Net/Conv/weights/ExponentialMovingAverage": weights,
            "Net/Logits/weights": weights,
            "global_step": np.int64(5),
        },
    )
    text = inspect_checkpoint.summary(checkpoint)
    assert "3 variables, 15 parameters" in text
    assert "1 moving averages (/ExponentialMovingAverage)" in text
    assert "1 optimizer slots /Momentum" in text
    assert "global_step: 5" in text
    assert _line(text, "Net/Conv") == ["Net/Conv", "2", "9", "1", "1"]
    assert _line(text, "Net/Logits") == ["Net/Logits", "1", "6", "0", "0"]


def test_the_net_and_its_classes_are_found(shapes):
    assert NET in net_fit.candidates(shapes)
    fit = net_fit.compare(shapes, NET)
    assert fit.is_whole
    assert fit.num_classes == 7
    assert fit_text.fits([fit]) == (f"fits {NET} with 7 classes: all 137 variables")


def test_a_checkpoint_without_the_head_fits_and_says_what_to_exclude(shapes):
    body = {name: s for name, s in shapes.items() if not name.startswith(HEAD)}
    fit = net_fit.compare(body, NET)
    assert fit.is_whole
    assert fit.num_classes is None
    text = fit_text.fits([fit])
    assert "135 of 137 variables" in text
    assert f"--checkpoint_exclude_scopes={HEAD}" in text


def test_variables_beyond_the_nets_do_no_harm(shapes):
    fit = net_fit.compare(shapes | {"MobilenetV1/mean_rgb": (3,)}, NET)
    assert fit_text.fits([fit]).endswith(
        "all 137 variables; 1 more are not used (MobilenetV1/mean_rgb)"
    )


def _checkpoint_of_run(tmp_path, model_name, image_size, num_classes, **of_run):
    """A checkpoint of zeros with the model.json of a run."""
    info = ModelInfo(
        *(model_name, image_size, False, "lenet", 0, "photos", num_classes, None),
        **of_run,
    )
    info.write(str(tmp_path))
    network = Network(
        model_name,
        num_classes=num_classes,
        image_size=image_size,
        head=NewHead.of(info),
    )
    shapes = network.variable_shapes()
    return _write(tmp_path, {n: np.zeros(s, np.float32) for n, s in shapes.items()})


@pytest.mark.parametrize(
    ("model_name", "image_size", "of_run", "expected"),
    [
        (NET, 96, {}, f"fits {NET} with 3 classes: all 137 variables"),
        (
            *(NET, 96, {"final_endpoint": "Conv2d_5_pointwise"}),
            f"fits {NET} --final_endpoint=Conv2d_5_pointwise with 3 classes:"
            " all 57 variables",
        ),
        (
            *(NET, 96, {"head_hidden_units": (16, 8)}),
            f"fits {NET} --head_hidden_units=16,8 with 3 classes: all 141 variables",
        ),
        # Its fully connected layer depends on the size of the images.
        ("lenet", 40, {}, "fits lenet with 3 classes: all 8 variables"),
    ],
)
def test_a_run_fits_what_its_model_json_says(
    tmp_path, model_name, image_size, of_run, expected
):
    checkpoint = _checkpoint_of_run(tmp_path, model_name, image_size, 3, **of_run)
    assert inspect_checkpoint._fits(checkpoint) == expected


def test_a_model_json_of_another_net_does_not_hide_the_one_that_fits(tmp_path):
    checkpoint = _checkpoint_of_run(tmp_path, "lenet", 28, 3)
    info = model_info.read(str(tmp_path))
    assert info is not None
    wrong = dataclasses.replace(info, model_name=NET, image_size=96)
    wrong.write(str(tmp_path))
    assert inspect_checkpoint._fits(checkpoint).startswith("fits lenet with 3 classes")


def test_a_net_for_gray_images_fits(shapes):
    height, width, _, filters = shapes[FIRST]
    gray = shapes | {FIRST: (height, width, 1, filters)}
    assert net_fit.compare(gray, NET).is_whole
    two = shapes | {FIRST: (height, width, 2, filters)}
    assert not net_fit.compare(two, NET).is_whole


def test_the_nearest_net_and_the_first_differences_are_named(shapes):
    wider = {name: s for name, s in shapes.items() if name != FIRST}
    wider["MobilenetV1/Conv2d_13_pointwise/BatchNorm/beta"] = (512,)
    wider["MobilenetV1/Extra/weights"] = (1,)
    text = fit_text.fits([net_fit.compare(wider, NET)])
    assert f"fits no net; the nearest is {NET}" in text
    assert f"1 missing, such as {FIRST}" in text
    assert "1 not in the net, such as MobilenetV1/Extra/weights" in text
    assert "1 with another shape, such as MobilenetV1/Conv2d_13_pointwise" in text


def test_a_head_of_two_minds_about_its_classes_does_not_fit(shapes):
    torn = shapes | {f"{HEAD}/Conv2d_1c_1x1/biases": (8,)}
    fit = net_fit.compare(torn, NET)
    assert not fit.is_whole
    assert len(fit.misshapen) == 2


def test_variables_under_foreign_scopes_fit_no_net():
    assert net_fit.candidates(["Foo/weights"]) == []
    assert "fits no net" in fit_text.fits([])


def test_differences_are_counted_by_scope(tmp_path):
    values = np.array([1, -4, 2], np.float32)
    first = _write(
        tmp_path,
        {
            "Net/A/weights": values,
            "Net/A/biases": values,
            "Net/B/weights": values,
            "Net/C/weights": values,
            "gone": np.int64(1),
            "global_step": np.int64(5),
        },
        "first",
    )
    second = _write(
        tmp_path,
        {
            "Net/A/weights": values + np.array([0, 0, 1], np.float32),
            "Net/A/biases": values,
            "Net/B/weights": values,
            "Net/C/weights": values[:2],
            "new": np.int64(1),
            "global_step": np.int64(7),
        },
        "second",
    )
    text = inspect_checkpoint.difference_text(first, second)
    assert f"only in {first.path}: 1 (gone)" in text
    assert f"only in {second.path}: 1 (new)" in text
    assert "Net/C/weights: shape 3 vs. 2" in text
    assert _line(text, "Net/A") == ["Net/A", "2", "1", "1", "0.25"]
    assert _line(text, "Net/B") == ["Net/B", "1", "1", "0", "0"]
    assert _line(text, "global_step") == ["global_step", "1", "0", "2", "0.4"]
