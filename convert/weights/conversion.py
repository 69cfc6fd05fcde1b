"""From a trained net of another framework to a slim checkpoint, verified.

Every conversion runs both nets on the same images before it writes the checkpoint, and
writes it only if they agree.
"""

import dataclasses
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import tensorflow as tf
from absl import logging

from checkpoints import model_info, slim_format
from convert.weights import classes, layers, model_json, net_fit
from convert.weights.layers import Layer
from errors import UserError
from nets import nets_factory
from nets.network import Network

TOLERANCE = 1e-3  # largest difference, relative to the largest output
_NUM_IMAGES = 2


@dataclasses.dataclass(frozen=True)
class Source:
    """A trained net of another framework.

    Attributes:
      description: what it is, for messages.
      model_name: slim's net of the same topology.
      layers_at: from the net's scopes, in order of creation, to the layers that belong
        there. Auxiliary heads may be missing, and so may the classifier if the source
        has none.
      has_classifier: whether the outputs are logits; otherwise they are pooled
        features.
      num_outputs: number of logits or features.
      channels: the number of channels of the images.
      image_size: side in pixels of the square images on which source and net are
        compared; None is the net's default.
      run: from images, `[n, size, size, channels]` float32 in [0, 255], to the
        outputs, `[n, num_outputs]`.
      inputs: from the same images to the input of slim's net.
      epsilon: the epsilon of the batch norms of slim's net.
      preprocessing: the preprocessing that `inputs` does; None is the net's own.
      is_published: whether the weights are known to be published ones of ImageNet.
      caveat: a limitation of the comparison to report; "" for none.
    """

    description: str
    model_name: str
    layers_at: Callable[[Sequence[str]], Mapping[str, Layer]]
    has_classifier: bool
    num_outputs: int
    channels: int
    image_size: int | None
    run: Callable[[np.ndarray], np.ndarray]
    inputs: Callable[[np.ndarray], np.ndarray]
    epsilon: float = 1e-3
    preprocessing: str | None = None
    is_published: bool = False
    caveat: str = ""


def convert(
    source: Source, checkpoint_path: str, class_names: str | None = None
) -> float:
    """Writes the weights of `source` as a slim checkpoint.

    For a net with a classifier it also writes `model.json`, so that evaluation and
    prediction know the net, its preprocessing and the labels offset.

    Args:
      source: the trained net.
      checkpoint_path: prefix of the checkpoint, as in "folder/model.ckpt".
      class_names: a file with them, or "imagenet"; None leaves the classes numbered,
        except for published weights.

    Returns:
      The largest difference between the two nets' outputs, relative to the largest
      output.

    Raises:
      UserError: a layer of one net has no counterpart in the other, or the outputs
        differ; nothing is written.
    """
    net = Network(
        source.model_name,
        num_classes=source.num_outputs,
        image_size=source.image_size,
        channels=source.channels,
        draw_weights=False,
    )
    usual = nets_factory.get_entry(source.model_name).preprocessing
    pixels = source.preprocessing or usual
    info = _info(source, net, pixels, class_names)
    model_json.check(checkpoint_path, info)
    variables = slim_variables(source, net.variable_shapes())
    for name, values in variables.items():
        net.model_variables[name].assign(values)
    if not source.has_classifier:
        _pass_features_through(net)
    difference = _compare(source, net)
    slim_format.write_checkpoint(checkpoint_path, variables)
    logging.info("Wrote %d variables to %s.", len(variables), checkpoint_path)
    if source.caveat:
        logging.warning("%s", source.caveat)
    if pixels != usual:
        logging.info("Train it with --preprocessing_name=%s.", pixels)
    model_json.write_info(checkpoint_path, info)
    return difference


def _info(
    source: Source, net: Network, preprocessing: str, class_names: str | None
) -> model_info.ModelInfo | None:
    if source.has_classifier:
        named = classes.named(
            class_names, source.num_outputs, is_published=source.is_published
        )
        return model_json.info_of(net, preprocessing, *named)
    if class_names:
        raise UserError(
            f"--class_names={class_names}: {source.description} has no classifier and"
            " so no classes: omit the flag"
        )
    return None


def slim_variables(source: Source, shapes: layers.Shapes) -> dict[str, np.ndarray]:
    """The weights of `source` under slim's names.

    Args:
      source: the trained net.
      shapes: shapes of the variables of slim's net by name, in order of creation.

    Returns:
      Values by name: all of the net's variables, except those of auxiliary heads or a
      classifier that the source does not have.

    Raises:
      UserError: a layer of one net has no counterpart in the other.
    """
    variables: dict[str, np.ndarray] = {}
    for scope, layer in source.layers_at(scopes_of(shapes)).items():
        variables |= layers.slim_variables(scope, layer, shapes, source.epsilon)
    heads = nets_factory.get_entry(source.model_name).head_scopes
    for name in shapes:
        may_be_absent = net_fit.is_auxiliary(name) or (
            not source.has_classifier and name.startswith(heads)
        )
        if name not in variables and not may_be_absent:
            raise UserError(
                f"{source.description} has no values for {name} of"
                f" {source.model_name}: the two have different topologies"
            )
    return variables


def scopes_of(names: Sequence[str] | layers.Shapes) -> list[str]:
    """Scopes of layers; a batch norm inside a layer's scope belongs to the layer."""
    scopes = (name.rpartition("/")[0].removesuffix("/BatchNorm") for name in names)
    return list(dict.fromkeys(scopes))


def _pass_features_through(net: Network) -> None:
    """Makes the classifier the identity, so that the logits are the features."""
    head = nets_factory.get_entry(net.model_name).head_scopes[0]
    for name, variable in net.model_variables.items():
        if name.startswith(head):
            if name.endswith("/biases"):
                variable.assign(tf.zeros(variable.shape))
            else:
                variable.assign(tf.reshape(tf.eye(net.num_classes), variable.shape))


def _compare(source: Source, net: Network) -> float:
    generator = np.random.default_rng(0)
    shape = (_NUM_IMAGES, *net.input_shape)
    images = generator.integers(0, 256, shape).astype(np.float32)
    run = tf.function(lambda x: net(x, is_training=False)[0], autograph=False)
    expected = source.run(images)
    got = run(source.inputs(images).astype(np.float32)).numpy()
    difference = float(np.max(np.abs(got - expected)))
    relative = difference / float(np.max(np.abs(expected)))
    what = "logits" if source.has_classifier else "features"
    report = (
        f"{source.description} and {net.model_name} on {len(images)} images of"
        f" {net.image_size}x{net.image_size} pixels: the {what} differ by"
        f" {difference:.2g} at most, {relative:.2g} of the largest"
    )
    if not np.all(np.isfinite(expected)):
        raise UserError(
            f"{source.description}: its {what} are not finite, so its weights are"
            " damaged; nothing was written"
        )
    if not relative <= TOLERANCE:  # also true for NaN
        raise UserError(
            f"{report}; more than {TOLERANCE:g} means that the nets compute different"
            " functions; nothing was written"
        )
    logging.info("%s.", report)
    return relative
