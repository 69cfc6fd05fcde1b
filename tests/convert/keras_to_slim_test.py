"""Keras models become checkpoints that compute the same, or are refused."""

import dataclasses
import importlib
import os

import keras
import numpy as np
import pytest
import tensorflow as tf

from checkpoints import slim_format
from convert.from_keras import keras_source, layer_names, loading
from convert.from_keras.applications import APPLICATIONS
from convert.from_keras.layer_names import Names
from convert.weights import conversion, net_fit
from errors import UserError
from nets import nets_factory
from preprocessing import preprocessing_factory
from tests.convert import keras_models
from tests.nets import nets_golden_test

EXACT = 1e-5  # float32 rounding; 1e-3 is what a conversion accepts
SMALL = "mobilenet_025"
_NORM = "batch_normalization"


def _application(name, size, **options):
    application = APPLICATIONS[name]
    build = getattr(keras.applications, application.function)
    options = {"input_shape": (size, size, 3), **application.options, **options}
    return keras_models.randomize(build(weights=None, **options))


def _convert(model, tmp_path, **options):
    prefix = str(tmp_path / "out.ckpt")
    source = keras_source.source(model, **options)
    return conversion.convert(source, prefix), slim_format.Checkpoint(prefix)


@pytest.fixture(scope="module")
def mobilenet():
    return _application(SMALL, 32, classes=5)


@pytest.mark.parametrize(
    ("name", "size", "num_variables", "tolerance"),
    [
        ("inception_v3", 107, 378, EXACT),
        ("resnet50", 64, 267, EXACT),
        ("resnet50v2", 64, 272, EXACT),
        (SMALL, 64, 137, EXACT),
        ("mobilenet_v2_035", 64, 262, EXACT),
        ("efficientnet_b0", 65, 311, EXACT),
        ("efficientnet_v2_b0", 65, 361, EXACT),
        ("densenet121", 64, 606, EXACT),
        ("xception", 75, 236, EXACT),
        ("convnext_tiny", 64, 182, EXACT),
        # Slim's squeeze and excite multiplies by 0.16667 where Keras divides by 6.
        ("mobilenet_v3_small", 64, 210, 1e-4),
    ],
)
def test_random_weights_give_the_same_logits(
    name, size, num_variables, tolerance, monkeypatch, tmp_path, capsys
):
    written: dict[str, np.ndarray] = {}
    monkeypatch.setattr(
        slim_format, "write_checkpoint", lambda _, variables: written.update(variables)
    )
    source = keras_source.source(_application(name, size, classes=5))
    difference = conversion.convert(source, str(tmp_path / "unused"))
    with capsys.disabled():
        print(f"\n{name}: differs by {difference:.2g} of the largest logit")
    assert difference < tolerance
    assert len(written) == num_variables


def _scopes(net):
    rows = nets_golden_test.read_rows(net)
    return conversion.scopes_of([name for name, *_ in rows])


def test_inception_resnet_v2_is_numbered_but_for_its_residuals():
    numbered = ["", *(f"_{n}" for n in range(1, 203))]
    names = [f"{kind}{n}" for n in numbered for kind in ("conv2d", _NORM)]
    found = layer_names.inception_resnet_v2(_scopes("inception_resnet_v2"), names)
    used = [name for name in found.values() if name.batch_norm]
    expected = [Names(f"conv2d{n}", f"{_NORM}{n}") for n in numbered]
    assert [name for name in used if name != Names("conv_7b", "conv_7b_bn")] == expected
    inner = "InceptionResnetV2/Repeat_2/block8_9"
    assert found[f"{inner}/Conv2d_1x1"] == Names("block8_9_conv")
    assert found[f"{inner}/Branch_0/Conv2d_1x1"] == Names("conv2d_195", f"{_NORM}_195")


def test_every_variable_of_vgg_19_is_found():
    found = layer_names.vgg(_scopes("vgg_19"), ())
    assert list(found) == _scopes("vgg_19")
    assert found["vgg_19/conv5/conv5_4"] == Names("block5_conv4")
    assert found["vgg_19/fc6"] == Names("fc1")
    assert found["vgg_19/fc8"] == Names(layer_names.CLASSIFIER)


def test_every_application_has_a_net_of_the_factory():
    for name, application in APPLICATIONS.items():
        assert application.model_name in nets_factory.NETWORKS, name
        assert hasattr(keras.applications, application.function), name


@pytest.mark.parametrize("name", APPLICATIONS)
def test_the_nets_preprocessing_makes_the_pixels_of_kerass(name):
    """Seen on one colour, which no crop or resize changes."""
    application = APPLICATIONS[name]
    build = getattr(keras.applications, application.function)
    module = importlib.import_module(build.__module__)
    photo = np.full((300, 300, 3), (200, 100, 50), np.uint8)
    theirs = module.preprocess_input(photo.astype(np.float32))[0, 0]
    if "v3_" in name and "mobilenet" in name:  # It rescales in the net.
        theirs = theirs / 127.5 - 1
    elif name in ("efficientnet_v2_s", "efficientnet_v2_m", "efficientnet_v2_l"):
        theirs = theirs / 128 - 1
    elif name.startswith(("efficientnet", "convnext")):
        mean, deviation = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
        theirs = (theirs / 255 - mean) / deviation
    if application.is_bgr:  # The first kernel is turned round.
        theirs = theirs[::-1]
    entry = nets_factory.get_entry(application.model_name)
    recipe = preprocessing_factory.get_preprocessing(entry.preprocessing, False)
    ours = recipe(tf.constant(photo), 224, 224)[112, 112]
    # Slim's mean colours are Keras's, rounded to two digits.
    np.testing.assert_allclose(ours, theirs, atol=2e-3)


def test_red_and_blue_change_places_for_nets_trained_on_bgr(mobilenet, tmp_path):
    name = "MobilenetV1/Conv2d_0/weights"
    rgb = _convert(mobilenet, tmp_path)[1].read(name)
    difference, checkpoint = _convert(mobilenet, tmp_path, channel_order="bgr")
    assert difference < EXACT
    np.testing.assert_array_equal(checkpoint.read(name), rgb[:, :, ::-1])


@pytest.mark.parametrize("form", ["map", "nested"])
def test_a_model_without_the_classifier_gives_the_body(form, tmp_path):
    base = _application(SMALL, 32, include_top=False)
    pool = keras.layers.GlobalAveragePooling2D()
    model = base if form == "map" else keras.Sequential([base, pool])
    difference, checkpoint = _convert(model, tmp_path)
    assert difference < EXACT
    assert len(checkpoint.shapes) == 135
    assert not any(name.startswith("MobilenetV1/Logits") for name in checkpoint.shapes)


@pytest.mark.parametrize("ending", [".keras", ".h5"])
def test_a_file_with_a_classifier_of_its_own(ending, tmp_path):
    base = _application(SMALL, 32, include_top=False)
    pooled = keras.layers.GlobalAveragePooling2D()(base.output)
    scores = keras.layers.Dense(3, activation="softmax", name="mine")(pooled)
    path = str(tmp_path / f"model{ending}")
    keras_models.randomize(keras.Model(base.input, scores)).save(path)
    difference, checkpoint = _convert(loading.load(path)[0], tmp_path)
    assert difference < EXACT
    assert checkpoint.shapes["MobilenetV1/Logits/Conv2d_1c_1x1/weights"][3] == 3


@pytest.mark.parametrize("ending", [".keras", ".h5"])
def test_a_file_with_the_layer_of_one_net_is_read(ending, tmp_path):
    module = importlib.import_module(keras.applications.InceptionResNetV2.__module__)
    inputs = [keras.Input((2, 2, 1)), keras.Input((2, 2, 1))]
    model = keras.Model(inputs, module.CustomScaleLayer(0.17)(inputs))
    path = str(tmp_path / f"model{ending}")
    model.save(path)
    loaded, _, _ = loading.load(path)
    assert loaded.layers[-1].scale == 0.17


def test_weights_of_a_named_net_come_from_a_file(tmp_path):
    model = _application(SMALL, 224, classes=1000)
    path = str(tmp_path / "mine.weights.h5")
    model.save_weights(path)
    loaded, _, is_published = loading.load(SMALL, path)
    assert not is_published
    np.testing.assert_array_equal(loaded.get_weights()[0], model.get_weights()[0])


def test_disagreement_writes_nothing(mobilenet, tmp_path):
    source = keras_source.source(mobilenet)
    other = dataclasses.replace(source, run=lambda images: 1.01 * source.run(images))
    with pytest.raises(UserError, match=r"the logits differ by .* nothing was written"):
        conversion.convert(other, str(tmp_path / "out" / "net.ckpt"))
    assert not os.listdir(tmp_path)


def test_not_a_number_is_no_agreement(mobilenet, tmp_path):
    source = keras_source.source(mobilenet)
    other = dataclasses.replace(source, run=lambda images: np.nan * source.run(images))
    with pytest.raises(UserError, match="nothing was written"):
        conversion.convert(other, str(tmp_path / "net.ckpt"))


def test_another_net_is_refused():
    inputs = keras.Input((32, 32, 3))
    model = keras.Model(inputs, keras.layers.Conv2D(4, 3, name="mine")(inputs))
    with pytest.raises(UserError, match=r"not a net that can be converted.* mine"):
        keras_source.source(model)


def test_several_dense_layers_are_refused(mobilenet):
    dense = keras.layers.Dense(4, name="hidden")
    last = keras.layers.Dense(3, name="last")
    model = keras.Sequential([mobilenet, dense, last])
    with pytest.raises(UserError, match="several dense layers, conv_preds, hidden, l"):
        keras_source.source(model)


def test_a_layer_without_a_place_is_refused():
    base = _application(SMALL, 32, include_top=False)
    extra = keras.layers.Conv2D(256, 1, name="extra")
    source = keras_source.source(keras.Sequential([base, extra]))
    shapes = net_fit.net_shapes("mobilenet_v1_025", 2)
    scopes = conversion.scopes_of(list(shapes))
    with pytest.raises(UserError, match=r"no place for 1 layers .* extra"):
        source.layers_at(scopes)


@pytest.mark.parametrize(
    ("model", "weights", "message"),
    [
        ("mobilnet", None, r"no such net \(did you mean mobilenet"),
        ("none.keras", None, "none.keras cannot be read as a Keras model"),
        ("none.keras", "w.h5", "--weights_file is for a --keras_model given by name"),
        (SMALL, "none.h5", "cannot load none.h5: .*; give a file with them"),
    ],
)
def test_wrong_inputs_are_one_line(model, weights, message):
    with pytest.raises(UserError, match=message) as error:
        loading.load(model, weights)
    assert "\n" not in str(error.value)


def test_every_variable_of_nasnet_is_found():
    scopes = [s for s in _scopes("nasnet_mobile") if not s.startswith("aux_")]
    found = layer_names.nasnet(scopes, ())
    assert set(found) == set(scopes)
    assert len(set(found.values())) == len(scopes), "a layer was used twice"
    assert found["cell_3/1x1"] == Names("normal_conv_1_3")
    assert found["cell_4/1x1"] == Names("normal_conv_1_5")
    assert found["cell_8/1x1"] == Names("normal_conv_1_9")
    assert found["cell_stem_1/beginning_bn"] == Names(None, "reduction_bn_1_stem_2")
    last = found["reduction_cell_1/comb_iter_4/left/separable_3x3_2"]
    assert last == Names("separable_conv_2_reduction_left4_reduce_8")
    norm = found["cell_5/comb_iter_1/right/bn_sep_3x3_1"]
    assert norm == Names(None, "separable_conv_1_bn_normal_right2_6")


def test_zero_padded_pools_are_compared_as_slims():
    inputs = keras.Input((4, 4, 1))
    x = keras.layers.ZeroPadding2D(((0, 1), (0, 1)), name="reduction_pad_1_a")(inputs)
    x = keras.layers.MaxPooling2D(3, 2, name="reduction_left2_a")(x)
    images = -np.arange(1.0, 17).reshape(1, 4, 4, 1)
    pattern = APPLICATIONS["nasnet_mobile"].zero_padded_pools
    model = keras.Model(inputs, x)
    assert model(images).numpy().ravel().tolist() == [-1, 0, 0, 0]
    same = keras_source.with_slims_pools(model, pattern)
    assert same(images).numpy().ravel().tolist() == [-1, -3, -9, -11]
