"""What the Inception nets share: default layer arguments, layers for tables, heads.

An Inception net is a table from end points to layers. Scopes end in the size of the
kernel, height by width, as in `Conv2d_0b_1x7`; the layers below take it from there.
"""

import functools
from collections.abc import Callable, Mapping
from typing import Any

import tensorflow as tf

from nets import slim
from nets.end_points import EndPoints

Layer = Callable[[tf.Tensor], tf.Tensor]


def inception_arg_scope(
    weight_decay: float = 0.00004,
    use_batch_norm: bool = True,
    batch_norm_decay: float = 0.9997,
    batch_norm_epsilon: float = 0.001,
    activation_fn: Callable[..., tf.Tensor] | None = tf.nn.relu,
    batch_norm_updates_collections: str | None = tf.compat.v1.GraphKeys.UPDATE_OPS,
    batch_norm_scale: bool = False,
) -> dict[str, Any]:
    """The default layer arguments of Inception v1 to v4.

    Args:
      weight_decay: coefficient of the L2 penalty on the weights.
      use_batch_norm: whether convolutions have batch norm; otherwise biases.
      batch_norm_decay: decay of the moving statistics.
      batch_norm_epsilon: added to the variance.
      activation_fn: activation of every convolution except those that return logits.
      batch_norm_updates_collections: graph collection for the update ops; None updates
        in place.
      batch_norm_scale: whether batch norm has a gamma; the published nets have none.

    Returns:
      An arg scope, for `slim.arg_scope`.
    """
    batch_norm_params = {
        "decay": batch_norm_decay,
        "epsilon": batch_norm_epsilon,
        "updates_collections": batch_norm_updates_collections,
        "scale": batch_norm_scale,
    }
    with (
        slim.arg_scope(
            [slim.conv2d, slim.fully_connected],
            weights_regularizer=slim.l2_regularizer(weight_decay),
        ),
        slim.arg_scope(
            [slim.conv2d],
            weights_initializer=slim.variance_scaling_initializer(),
            activation_fn=activation_fn,
            normalizer_fn=slim.batch_norm if use_batch_norm else None,
            normalizer_params=batch_norm_params if use_batch_norm else {},
        ) as scope,
    ):
        return scope


def truncated_normal(stddev: float) -> Any:
    """An initializer of mean 0."""
    return tf.compat.v1.truncated_normal_initializer(0.0, stddev)


def window(scope: str) -> list[int]:
    """The kernel size that a scope ends in.

    >>> window("Conv2d_0b_1x7")
    [1, 7]
    """
    return [int(side) for side in scope.rpartition("_")[2].split("x")]


def conv(
    scope: str, depth: int, size: list[int] | None = None, **options: Any
) -> Layer:
    """A convolution to `depth` channels; `size` if the scope does not end in it."""
    size = size or window(scope)
    return lambda net: slim.conv2d(net, depth, size, scope=scope, **options)


def max_pool(scope: str, **options: Any) -> Layer:
    """A max pooling."""
    return lambda net: slim.max_pool2d(net, window(scope), scope=scope, **options)


def avg_pool(scope: str, **options: Any) -> Layer:
    """An average pooling."""
    return lambda net: slim.avg_pool2d(net, window(scope), scope=scope, **options)


def padded(
    border: tuple[int, int], word: Callable[..., Layer], *args: Any, **options: Any
) -> Layer:
    """A layer on inputs padded by a border of zeros, whatever their size.

    Args:
      border: pixels at the top and left, and at the bottom and right.
      word: `conv`, `avg_pool` or, if the inputs are not negative, `max_pool`.
      *args: positional arguments of `word`.
      **options: keyword arguments of `word`.
    """
    layer = word(*args, padding="VALID", **options)
    return lambda net: layer(tf.pad(net, [[0, 0], border, border, [0, 0]]))


def fork(*layers: Layer) -> Layer:
    """All `layers` applied to the same input, their channels concatenated."""
    return lambda net: tf.concat([layer(net) for layer in layers], 3)


def chain(*layers: Layer) -> Layer:
    """One layer after the other."""
    return lambda net: functools.reduce(lambda net, layer: layer(net), layers, net)


def branches(net: tf.Tensor, *sequences: list[Layer], axis: int = 3) -> tf.Tensor:
    """Applies each sequence of layers to `net`, in a separate scope.

    Args:
      net: `[batch, height, width, channels]`, or with the channels at `axis`.
      *sequences: the layers of `Branch_0`, `Branch_1` and so on.
      axis: axis of the channels.

    Returns:
      The outputs, their channels concatenated.
    """
    results = []
    for index, layers in enumerate(sequences):
        with tf.compat.v1.variable_scope(f"Branch_{index}"):
            results.append(chain(*layers)(net))
    return tf.concat(results, axis)


def mixed(scope: str, *sequences: list[Layer], axis: int = 3) -> Layer:
    """An Inception module: `branches` inside a scope."""

    def layer(net: tf.Tensor) -> tf.Tensor:
        with tf.compat.v1.variable_scope(scope):
            return branches(net, *sequences, axis=axis)

    return layer


def build(
    net: tf.Tensor, table: Mapping[str, Layer], final_endpoint: str
) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
    """Builds the layers of a table, up to and including `final_endpoint`.

    Returns:
      The final end point, and all end points by name.

    Raises:
      ValueError: no layer has this name.
    """
    if final_endpoint not in table:
        raise ValueError(
            f"Unknown final endpoint {final_endpoint}; the net has {', '.join(table)}."
        )
    end_points = EndPoints()
    for name, layer in table.items():
        end_points[name] = net = layer(net)
        if name == final_endpoint:
            break
    return net, end_points


def pool(net: tf.Tensor, side: int, scope: str, global_pool: bool) -> tf.Tensor:
    """Averages over the whole feature map, or over at most `side` x `side`.

    The latter is slim's default, and leaves a map if images exceed the net's size.
    """
    if global_pool:
        return tf.reduce_mean(net, [1, 2], keepdims=True, name="global_pool")
    kernel = [min(size or side, side) for size in net.shape.as_list()[1:3]]
    return slim.avg_pool2d(net, kernel, stride=1, padding="VALID", scope=scope)


def head(
    net: tf.Tensor,
    end_points: dict[str, tf.Tensor],
    num_classes: int | None,
    side: int,
    dropout_keep_prob: float,
    prediction_fn: Callable[..., tf.Tensor],
    spatial_squeeze: bool,
    global_pool: bool,
) -> tf.Tensor:
    """Pool, dropout and logits of Inception v2 and v3; adds to `end_points`.

    Returns:
      The logits, or the pooled features if there are no classes.
    """
    with tf.compat.v1.variable_scope("Logits"):
        net = pool(net, side, "AvgPool_1a", global_pool)
        end_points["global_pool" if global_pool else "AvgPool_1a"] = net
        if not num_classes:
            return net
        net = slim.dropout(net, keep_prob=dropout_keep_prob, scope="Dropout_1b")
        end_points["PreLogits"] = net
        logits = linear(net, num_classes, "Conv2d_1c_1x1", spatial_squeeze)
    end_points["Logits"] = logits
    end_points["Predictions"] = prediction_fn(logits, scope="Predictions")
    return logits


def linear(
    net: tf.Tensor, num_classes: int, scope: str, spatial_squeeze: bool
) -> tf.Tensor:
    """Logits by a 1x1 convolution: `[batch, num_classes]` or, not squeezed, a map."""
    logits = slim.conv2d(
        net, num_classes, [1, 1], activation_fn=None, normalizer_fn=None, scope=scope
    )
    if spatial_squeeze:
        logits = tf.squeeze(logits, [1, 2], name="SpatialSqueeze")
    return logits


def aux_logits(
    net: tf.Tensor, num_classes: int, conv_scope: str, logits_scope: str
) -> tf.Tensor:
    """The auxiliary head of Inception v4 and Inception-ResNet v2.

    Its second convolution spans the whole output of the pooling.
    """
    with (
        tf.compat.v1.variable_scope("AuxLogits"),
        slim.arg_scope([slim.conv2d, slim.avg_pool2d], padding="VALID"),
    ):
        net = slim.avg_pool2d(net, [5, 5], stride=3, scope="AvgPool_1a_5x5")
        net = slim.conv2d(net, 128, [1, 1], scope="Conv2d_1b_1x1")
        net = slim.conv2d(net, 768, net.shape[1:3], scope=conv_scope)
        return slim.fully_connected(
            slim.flatten(net), num_classes, activation_fn=None, scope=logits_scope
        )


def flat_head(
    net: tf.Tensor,
    end_points: dict[str, tf.Tensor],
    num_classes: int | None,
    dropout_keep_prob: float,
) -> tf.Tensor:
    """Pool, dropout and logits of Inception v4 and Inception-ResNet v2.

    Adds to `end_points`.

    Returns:
      The logits, or the pooled features if there are no classes.
    """
    with tf.compat.v1.variable_scope("Logits"):
        if net.shape[1:3].is_fully_defined():
            net = slim.avg_pool2d(
                net, net.shape[1:3], padding="VALID", scope="AvgPool_1a"
            )
        else:
            net = tf.reduce_mean(net, [1, 2], keepdims=True, name="global_pool")
        end_points["global_pool"] = net
        if not num_classes:
            return net
        net = slim.dropout(net, keep_prob=dropout_keep_prob, scope="Dropout_1b")
        net = slim.flatten(net, scope="PreLogitsFlatten")
        end_points["PreLogitsFlatten"] = net
        logits = slim.fully_connected(
            net, num_classes, activation_fn=None, scope="Logits"
        )
        end_points["Logits"] = logits
        end_points["Predictions"] = tf.nn.softmax(logits, name="Predictions")
    return logits
