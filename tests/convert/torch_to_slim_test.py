"""PyTorch's state dictionaries become checkpoints that compute the same.

The goldens are what torchvision and timm themselves computed (make_torch_golden.py).
"""

import dataclasses
import functools

import numpy as np
import pytest
import tensorflow as tf

from checkpoints import slim_format
from convert.from_torch import (
    architectures,
    efficientnets,
    forward,
    inceptions,
    recognition,
    torch_source,
)
from convert.from_torch.architecture import IMAGENET_MEAN, IMAGENET_STD
from convert.from_torch.layers import Layers
from convert.weights import conversion
from convert.weights.layers import Layer
from errors import UserError
from nets import nets_factory
from tests.convert import torch_recipe
from tests.nets import nets_golden_test

EXACT = 1e-5  # float32 rounding; 1e-3 is what a conversion accepts


@functools.cache
def _state(name):
    return torch_recipe.state(torch_recipe.golden(name)["shapes"])


@pytest.fixture(scope="module", autouse=True)
def _forget_states():
    yield
    _state.cache_clear()  # VGG's holds half a gigabyte.


@functools.cache
def _small_state():
    """A resnet18 of few channels: the names are all that recognition looks at."""
    shapes = torch_recipe.golden("resnet18")["shapes"]
    return torch_recipe.state({name: [1] * len(s) for name, s in shapes.items()})


@pytest.mark.parametrize(
    ("name", "forward", "epsilon"),
    [
        ("resnet18", forward.resnet, 1e-5),
        ("resnet50", forward.resnet, 1e-5),
        pytest.param("vgg16", forward.vgg, 0.0, marks=pytest.mark.real),
        ("vgg_bn_narrow", forward.vgg, 1e-5),
        ("efficientnet_v2_narrow", efficientnets.forward_of_torchvision, 1e-3),
        ("googlenet", inceptions.googlenet, 1e-3),
        ("inception_v3", inceptions.inception_v3, 1e-3),
        ("mobilenet_v2", forward.mobilenet_v2, 1e-5),
        ("inception_v4", inceptions.inception_v4, 1e-3),
        ("inception_resnet_v2", inceptions.inception_resnet_v2, 1e-3),
    ],
)
def test_what_is_compared_with_is_what_pytorch_computes(name, forward, epsilon):
    golden = torch_recipe.golden(name)
    images = tf.constant(torch_recipe.images(golden["image_size"]))
    logits = forward(Layers(_state(name), epsilon), images).numpy()
    largest = np.abs(golden["logits"]).max()
    np.testing.assert_allclose(logits, golden["logits"], rtol=0, atol=EXACT * largest)


@pytest.mark.parametrize(
    "name",
    [
        "mobilenet_v3_large",
        "mobilenet_v3_small",
        "efficientnet-b0",
        "efficientnet-lite0",
        "efficientnet_b0",
        "densenet121",
        "convnext_tiny",
        "vit_s16",
        "dinov2_s14",
    ],
)
def test_what_a_table_is_compared_with_is_what_pytorch_computes(name):
    """Strides and activations, which the parameters do not tell, are the table's."""
    golden, state = torch_recipe.golden(name), _state(name)
    images = tf.constant(torch_recipe.images(golden["image_size"]))
    architecture = recognition.recognize(state)
    logits = architecture.forward(Layers(state, architecture.epsilon), images).numpy()
    largest = np.abs(golden["logits"]).max()
    np.testing.assert_allclose(logits, golden["logits"], rtol=0, atol=EXACT * largest)


@pytest.mark.parametrize(
    ("name", "size", "tolerance", "num_variables"),
    [
        ("resnet18", 64, EXACT, 102),
        ("resnet50", 64, EXACT, 267),
        # The colour of the padding is half a shade off: torch_source.source.
        pytest.param("vgg16", 224, 5e-4, 32, marks=pytest.mark.real),
        ("googlenet", 67, EXACT, 230),
        ("inception_v3", 299, EXACT, 388),
        ("mobilenet_v2", 65, EXACT, 262),
        # Slim rounds the 1/6 of its gates to 0.16667.
        ("mobilenet_v3_small", 65, 2e-4, 210),
        ("efficientnet-b0", 64, EXACT, 311),
        ("efficientnet-lite0", 64, EXACT, 247),
        ("efficientnet_b0", 65, EXACT, 311),
        ("densenet121", 65, EXACT, 606),
        ("convnext_tiny", 64, EXACT, 182),
        ("vit_s16", 64, EXACT, 152),
        ("dinov2_s14", 70, EXACT, 176),
    ],
)
def test_random_weights_give_the_same_logits(
    name, size, tolerance, num_variables, monkeypatch, tmp_path, capsys
):
    written: dict[str, np.ndarray] = {}
    monkeypatch.setattr(
        slim_format, "write_checkpoint", lambda _, variables: written.update(variables)
    )
    state = _state(name)
    source = torch_source.source(state, recognition.recognize(state))
    difference = conversion.convert(
        dataclasses.replace(source, image_size=size), str(tmp_path / "unused")
    )
    with capsys.disabled():
        print(f"\n{name}: differs by {difference:.2g} of the largest logit")
    assert difference < tolerance
    assert len(written) == num_variables


@pytest.mark.parametrize(
    ("name", "scope", "module"),
    [
        ("inception_v4", "Mixed_7d/Branch_2/Conv2d_0e_3x1", "features.21.branch2_3b"),
        ("inception_resnet_v2", "Block8/Branch_1/Conv2d_0c_3x1", "block8.branch1.2"),
    ],
)
def test_every_variable_of_timms_nets_is_found(name, scope, module):
    state = _state(name)
    shapes = {
        name: tuple(torch_recipe.CLASSES if n == 1001 else n for n in shape)
        for name, shape, *_ in nets_golden_test.read_rows(name)
    }
    source = torch_source.source(state, recognition.recognize(state))
    variables = conversion.slim_variables(source, shapes)
    assert set(shapes) - set(variables) == {n for n in shapes if "/AuxLogits/" in n}
    (beta,) = [n for n in shapes if n.endswith(f"/{scope}/BatchNorm/beta")]
    np.testing.assert_array_equal(variables[beta], state[f"{module}.bn.bias"])


@pytest.mark.parametrize("architecture", architectures.ARCHITECTURES)
def test_every_architecture_has_a_net_of_the_factory(architecture):
    entry = nets_factory.NETWORKS[architecture.model_name]
    assert entry.preprocessing in torch_source.NORMALIZATIONS


def test_a_state_without_the_classifier_gives_the_body(tmp_path):
    body = {n: v for n, v in _state("resnet18").items() if not n.startswith("fc.")}
    source = torch_source.source(body, recognition.recognize(body))
    assert source.num_outputs == 512
    prefix = str(tmp_path / "body.ckpt")
    source = dataclasses.replace(source, image_size=64)
    assert conversion.convert(source, prefix) < EXACT
    shapes = slim_format.Checkpoint(prefix).shapes
    assert len(shapes) == 100
    assert "resnet_v1_18/logits/weights" not in shapes


def test_pixels_of_another_scale_and_mean_give_the_same_convolution():
    generator = np.random.default_rng(0)
    images = generator.uniform(size=(1, 5, 5, 3))
    kernel = generator.standard_normal((3, 3, 3, 2))
    layer = Layer({"weights": kernel}, bias=np.array([1.0, 2.0]))
    scale, offset = np.array([2.0, 3.0, 4.0]), np.array([0.1, -0.2, 0.3])
    rescaled = torch_source.rescaled(layer, scale, offset)

    def convolve(layer, images):
        return tf.nn.conv2d(images, layer.kernels["weights"], 1, "VALID") + layer.bias

    np.testing.assert_allclose(
        convolve(rescaled, images), convolve(layer, scale * images + offset)
    )


def test_the_first_dense_layer_of_a_vgg_takes_its_map_channels_last():
    """Of 2 channels: PyTorch flattens channel, row, column, each row 7 places long."""
    kernel = np.arange(3 * 2 * 7 * 7, dtype=np.float32).reshape(3, 2 * 7 * 7)
    bias = np.ones(3, np.float32)
    state = {"classifier.0.weight": kernel, "classifier.0.bias": bias}
    layer = torch_source._layer(state, "vgg_16/fc6", ("classifier.0", None), 0.0)
    weights = layer.kernels["weights"]
    assert weights.shape == (7, 7, 2, 3)
    assert weights[4, 5, 1, 2] == kernel[2, 1 * 49 + 4 * 7 + 5]


def test_a_missing_module_is_named():
    state = dict(_small_state())
    del state["layer4.1.conv2.weight"]
    source = torch_source.source(state, recognition.recognize(state))
    scope = "resnet_v1_18/block4/unit_2/basic_v1/conv2"
    with pytest.raises(UserError, match=rf"no module layer4\.1\.conv2, .*{scope}"):
        source.layers_at([scope])


def test_a_module_without_a_place_is_named():
    state = _small_state() | {"extra.weight": np.ones(1)}
    source = torch_source.source(state, recognition.recognize(state))
    names = [name for name, *_ in nets_golden_test.read_rows("resnet_v1_18")]
    with pytest.raises(UserError, match=r"no place for 1 modules .* extra"):
        source.layers_at(conversion.scopes_of(names))


def test_what_no_net_can_hold_is_refused():
    reason = "no net that can be converted: it has encoder.weight;"
    with pytest.raises(UserError, match=reason):
        recognition.recognize({"encoder.weight": np.ones(1)})


def test_an_inception_v3_of_pytorchs_own_keeps_its_pools():
    golden, state = torch_recipe.golden("inception_v3"), _state("inception_v3")
    name = "inception_v3_torchvision"
    source = torch_source.source(state, recognition.recognize(state, name))
    images = torch_recipe.images(golden["image_size"])
    largest = np.abs(golden["logits"]).max()
    np.testing.assert_allclose(
        source.run(127.5 * (images + 1)), golden["logits"], rtol=0, atol=EXACT * largest
    )
    names = [name for name, *_ in nets_golden_test.read_rows(source.model_name)]
    scopes = conversion.scopes_of(names)
    assert set(source.layers_at(scopes)) == set(scopes)


@pytest.mark.parametrize("preprocessing", [None, "torchvision"])
def test_pixels_of_the_nets_own_kind_change_nothing_in_it(preprocessing):
    """Not even at the border, where another mean would show."""
    state = _state("googlenet")
    architecture = recognition.recognize(state)
    source = torch_source.source(
        state,
        architecture,
        mean=IMAGENET_MEAN,
        std=IMAGENET_STD,
        preprocessing=preprocessing,
    )
    names = [name for name, *_ in nets_golden_test.read_rows(source.model_name)]
    scopes = conversion.scopes_of(names)
    first = source.layers_at(scopes)[scopes[0]]
    kernel = state["conv1.conv.weight"].transpose(2, 3, 1, 0)
    is_its_own = preprocessing == "torchvision"
    assert np.array_equal(first.kernels["weights"], kernel) == is_its_own
    assert first.bias is not None
    assert np.any(first.bias) != is_its_own
    assert source.preprocessing == (preprocessing or "inception")


def test_a_net_that_it_is_not_is_refused():
    message = "is that of torchvision's resnet18, which converts to resnet_v1_18$"
    with pytest.raises(UserError, match=message):
        recognition.recognize(_small_state(), "resnet_v1_34")


def test_heads_that_only_training_uses_are_left_out(caplog):
    caplog.set_level("INFO")
    state = _state("googlenet")
    assert any(name.startswith("aux") for name in state)
    source = torch_source.source(state, recognition.recognize(state))
    assert "Omitting 20 parameters that only training uses" in caplog.text
    names = [name for name, *_ in nets_golden_test.read_rows(source.model_name)]
    scopes = conversion.scopes_of(names)
    assert set(source.layers_at(scopes)) == set(scopes)


def test_a_net_inside_another_module_is_found(caplog):
    caplog.set_level("INFO")
    small = _small_state()
    state = {f"model.{name}": values for name, values in small.items()}
    loss = {"criterion.weight": np.ones(3, np.float32)}
    assert set(recognition.without_prefix(state | loss)) == set(small)
    assert "Using the module model, omitting criterion.weight" in caplog.text
    assert recognition.without_prefix(small) is small
    head = {"head.weight": np.ones((3, 2), np.float32)}
    with pytest.raises(UserError, match=r"weights next to it, head\.weight"):
        recognition.without_prefix(state | head)
    twice = state | {f"ema.{name}": values for name, values in small.items()}
    with pytest.raises(UserError, match=r"several nets, ema\., model\.:"):
        recognition.without_prefix(twice)
