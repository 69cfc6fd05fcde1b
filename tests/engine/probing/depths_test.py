"""Where a net can be cut, by its graph."""

import pytest

from engine.probing import depths
from nets import nets_factory
from nets.network import Network


@pytest.fixture(scope="module")
def found():
    """Depths by net, each looked for once."""
    cache = {}

    def depths_of(name):
        if name not in cache:
            network = Network(name, num_classes=3)
            cache[name] = network, depths.find_depths(network)
        return cache[name]

    return depths_of


def test_lenet_has_a_depth_after_each_layer(found):
    network, lenet = found("lenet")
    assert [(d.end_point, d.num_features) for d in lenet] == [
        ("pool1", 32),
        ("Flatten", 3136),
        ("dropout3", 1024),
    ]
    assert lenet[-1].after == ("LeNet/fc4/weights", "LeNet/fc4/biases")
    scopes = depths.scopes_of(lenet[1].after, network.model_variables)
    assert scopes == ["LeNet/fc3/", "LeNet/fc4/"]


def test_auxiliary_heads_logits_and_repeats_are_left_out(found):
    network, inception = found("inception_v3_narrow")
    names = [depth.end_point for depth in inception]
    assert names[-5:] == ["Mixed_6d", "Mixed_6e", "Mixed_7a", "Mixed_7b", "PreLogits"]
    assert not any("AuxLogits" in name for depth in inception for name in depth.after)
    scopes = depths.scopes_of(inception[-2].after, network.model_variables)
    assert scopes == ["InceptionV3/Mixed_7c/", "InceptionV3/Logits/"]


def test_what_a_shortcut_passes_by_is_no_depth(found):
    _, resnet = found("resnet_v1_18")
    names = [depth.end_point for depth in resnet]
    assert "resnet_v1_18/block2/unit_1/basic_v1" in names
    assert not any(name.endswith(("conv1", "shortcut")) for name in names[1:])


@pytest.mark.parametrize("name", ["lenet", "inception_v3_narrow", "mobilenet_v1_025"])
def test_scopes_take_in_what_is_after_a_depth_and_no_more(found, name):
    network, of_net = found(name)
    for depth in of_net:
        scopes = depths.scopes_of(depth.after, network.model_variables)
        taken = [n for n in network.model_variables if n.startswith(tuple(scopes))]
        assert sorted(taken) == sorted(depth.after)
    head = nets_factory.get_entry(name).head_scopes[0]
    assert all(n.startswith(f"{head}/") for n in of_net[-1].after)
    assert [len(d.after) for d in of_net] == sorted(
        (len(d.after) for d in of_net), reverse=True
    )
