"""Totals against published counts; the table in 80 columns; the picture; refusals."""

import re
from xml.etree import ElementTree

import numpy as np
import pytest

from checkpoints import slim_format
from checkpoints.model_info import ModelInfo
from convert import inspect_network
from convert.inspect_network import NetworkOptions
from convert.inspection import net_layers, net_picture
from errors import UserError
from nets import convnext
from nets.new_head import OWN_HEAD, NewHead


def layers_of(name, head=OWN_HEAD, *, image_size=224, num_classes=1000):
    return net_layers.find(
        name, head, num_classes=num_classes, image_size=image_size, channels=3
    )


def totals(found):
    main = [layer for layer in found.layers if not layer.is_auxiliary]
    return (
        sum(layer.num_parameters for layer in main),
        sum(layer.multiply_adds for layer in main),
    )


@pytest.mark.parametrize(
    ("name", "size", "num_parameters", "millions"),
    [
        # Keras' summary() for the parameters; for the arithmetic Howard et al. 2017,
        # table 4, Szegedy et al. 2015, section 6, and Simonyan and Zisserman by hand.
        ("mobilenet_v1", 224, 4_253_864, 569),
        ("inception_v3", 299, 23_851_784, 5713),
        ("vgg_16", 224, 138_357_544, 15_470),
    ],
)
def test_totals_are_the_published_ones(name, size, num_parameters, millions):
    parameters, multiply_adds = totals(layers_of(name, image_size=size))
    assert parameters == num_parameters
    assert round(multiply_adds / 1e6) == pytest.approx(millions, abs=1)


def test_layers_of_a_small_net_by_hand():
    found = layers_of("lenet", image_size=28, num_classes=10)
    rows = [
        (
            r.end_point,
            r.operation,
            r.shape,
            r.num_parameters,
            r.multiply_adds,
            r.parents,
        )
        for r in found.layers
    ]
    assert rows[:3] == [
        ("conv1", "conv 5x5", (28, 28, 32), 75 * 32 + 32, 75 * 32 * 28 * 28, (-1,)),
        ("pool1", "max pool 2x2/2", (14, 14, 32), 0, 0, (0,)),
        ("conv2", "conv 5x5", (14, 14, 64), 800 * 64 + 64, 800 * 64 * 196, (1,)),
    ]
    assert rows[-2][:4] == ("Logits", "fully connected", (10,), 1024 * 10 + 10)
    assert found.num_statistics == 0


def test_a_cut_net_ends_with_its_new_head():
    head = NewHead("Conv2d_2_pointwise", (16,))
    found = layers_of("mobilenet_v1_025", head, image_size=32, num_classes=3)
    last = [(r.end_point, r.operation, r.num_parameters) for r in found.layers[-5:]]
    assert last == [
        ("Conv2d_2_pointwise", "conv 1x1", 16 * 32 + 4 * 32),
        ("global_pool", "global average", 0),
        ("Hidden_1", "fully connected", 32 * 16 + 16),
        ("Logits", "fully connected", 16 * 3 + 3),
        ("Predictions", "softmax", 0),
    ]


def test_a_layer_norm_is_no_pooling(monkeypatch):
    narrow = convnext.Size((4, 8, 8, 8), (1, 1, 1, 1), 0.1)
    monkeypatch.setitem(convnext.SIZES, "convnext_tiny", narrow)
    found = layers_of("convnext_tiny", image_size=64)
    last = [(r.end_point, r.operation, r.num_parameters) for r in found.layers[-4:-2]]
    assert last == [
        ("global_pool", "global average", 0),
        ("PreLogits", "layer norm", 8 + 8),
    ]


def test_the_table_fits_80_columns_and_tells_auxiliary_heads(capsys, monkeypatch):
    monkeypatch.setattr("common.terminal.columns", lambda _: 80)
    options = NetworkOptions(model_name="inception_v3_narrow")
    net = inspect_network._net_of(options)
    found = layers_of("inception_v3_narrow", image_size=128)
    lines = inspect_network.text(net, found).splitlines()
    assert max(map(len, lines)) <= 80
    assert re.match(r" AuxLogits \* +3 convolutions", lines[-5])
    assert lines[-1].startswith("* only in training: ")


def test_the_picture_holds_every_end_point_and_its_shortcuts():
    found = layers_of("resnet_v1_18", NewHead("resnet_v1_18/block2"), image_size=32)
    picture = net_picture.draw("a <net>", "32x32x3", found.layers)
    root = ElementTree.fromstring(picture)
    texts = [node.text for node in root.iter() if node.tag.endswith("text")]
    assert "a <net>" in texts
    for layer in found.layers:
        assert any(layer.end_point.endswith((t or "?").lstrip("…")) for t in texts)
    num_parents = sum(len(layer.parents) for layer in found.layers)
    assert picture.count("marker-end") == num_parents > len(found.layers)


def test_a_run_says_which_net_it_is(tmp_path):
    ModelInfo(
        *("lenet", 28, True, "lenet", 0, "digits", 10, None),
        final_endpoint="pool2",
        head_hidden_units=(8,),
    ).write(str(tmp_path))
    path = str(tmp_path / "model.ckpt-3")
    kernel = np.zeros((5, 5, 1, 32), np.float32)
    slim_format.write_checkpoint(path, {"LeNet/conv1/weights": kernel})
    net = inspect_network._net_of(NetworkOptions(checkpoint_path=path))
    assert (net.model_name, net.head) == ("lenet", NewHead("pool2", (8,)))
    assert (net.num_classes, net.channels) == (10, 1)
    options = NetworkOptions(checkpoint_path=path, final_endpoint="pool1")
    with pytest.raises(UserError, match=r"--final_endpoint=pool1 contradicts"):
        inspect_network._net_of(options)
    (tmp_path / "model.json").unlink()
    with pytest.raises(UserError, match=r"no model.json.*--model_name instead"):
        inspect_network._net_of(NetworkOptions(checkpoint_path=path))


@pytest.mark.parametrize(
    ("name", "size", "message"),
    [
        ("mobilnet_v1", 224, "did you mean mobilenet_v1"),
        ("vgg_16", 32, "vgg_16 cannot be built for images of 32x32 pixels: Negative"),
    ],
)
def test_what_cannot_be_built_is_one_line(name, size, message):
    with pytest.raises(UserError, match=message) as error:
        layers_of(name, image_size=size)
    assert "\n" not in str(error.value)
