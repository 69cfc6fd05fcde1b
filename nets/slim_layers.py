"""The layers of a `Network`, without the bookkeeping of Keras' layers.

tf_slim has Keras compute convolutions and batch norms. In a function, and while a
`LayerPolicy` is in force, these compute them: with the same operations, to the last
bit, on the same variables, except that a fully connected layer, written as a
convolution, is a matrix product. Building and tracing a net takes a fifth to a quarter
less time, as its layers, each called once, are not prepared for calls to come. A
penalty is computed when it is asked for, not added to TensorFlow 1's collection. All
else is left to Keras: graphs, eager mode, other people's functions, rarer options.
"""

import math
import types
from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from nets.layer_policy import current_policy

v1 = tf.compat.v1

_COMPUTED_IN = (tf.float32, tf.bfloat16, tf.float16)


class _Layer:
    """Computes by itself what is simple, and has Keras' layer compute the rest.

    Variables are attributes, by Keras' names, once it is applied.
    """

    _keras: Any = None

    def __init__(self, keras_class: Any, **options: Any) -> None:
        """Takes the options of Keras' layer, and the class that would take them."""
        self._keras_class = keras_class
        self._options = types.SimpleNamespace(**options)

    def apply(self, inputs: tf.Tensor, **kwargs: Any) -> tf.Tensor:
        if self._is_simple(inputs, **kwargs):
            return self._compute(inputs, **kwargs)
        self._keras = self._keras_class(**vars(self._options))
        return self._keras.apply(inputs, **kwargs)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._keras, name)

    def _is_simple(self, inputs: tf.Tensor, **_: Any) -> bool:
        """Whether it is computed here: of images, in a function, by a `Network`."""
        is_traced = v1.get_default_graph().building_function
        are_images = inputs.shape.rank == 4 and inputs.shape[-1] is not None
        # Keras also takes its own names for initializers and regularizers.
        has_functions = all(
            value is None or callable(value)
            for name, value in vars(self._options).items()
            if name.endswith(("_initializer", "_regularizer"))
        )
        in_network = current_policy() is not None
        return is_traced and in_network and are_images and has_functions

    def _compute(self, inputs: tf.Tensor, **kwargs: Any) -> tf.Tensor:
        raise NotImplementedError

    def _variable(
        self, name: str, shape: Sequence[int], dtype: tf.DType, **how: Any
    ) -> tf.Variable | tf.Tensor:
        """The variable of a name, with the initializer and regularizer for it."""
        options = vars(self._options)
        kind = name.removesuffix("_kernel")
        return v1.get_variable(
            name,
            shape,
            dtype,
            options[f"{kind}_initializer"],
            options.get(f"{kind}_regularizer"),
            **{"trainable": self._options.trainable, **how},
        )


class _Convolution(_Layer):
    def _is_simple(self, inputs: tf.Tensor, **_: Any) -> bool:
        options = self._options
        return (
            super()._is_simple(inputs)
            and isinstance(options.filters, int)
            and options.data_format == "channels_last"
        )

    def _with_bias(self, outputs: tf.Tensor) -> tf.Tensor:
        options = self._options
        self.use_bias, self.bias = bool(options.use_bias), None
        if not self.use_bias:
            return outputs
        self.bias = self._variable("bias", [options.filters], options.dtype)
        return tf.nn.bias_add(outputs, self.bias)


class Convolution2D(_Convolution):
    """A convolution; a fully connected layer, written as one, is a matrix product.

    On CPUs the product takes a third to a fifth of the time of the convolution,
    gradients included; see benchmarks/README.md.
    """

    def _compute(self, inputs: tf.Tensor, **_: Any) -> tf.Tensor:
        options = self._options
        sides, strides, rates = map(
            _pair, (options.kernel_size, options.strides, options.dilation_rate)
        )
        shape = [*sides, inputs.shape[-1], options.filters]
        self.kernel = self._variable("kernel", shape, options.dtype)
        padding = options.padding.upper()
        pads = padding == "SAME" and sides != (1, 1)
        if tuple(inputs.shape[1:3]) == sides and rates == (1, 1) and not pads:
            outputs = self._product(inputs)
        else:
            outputs = tf.nn.convolution(
                inputs,
                self.kernel,
                strides=strides,
                padding=padding,
                dilations=rates,
                name="Conv2D",
            )
        return self._with_bias(outputs)

    def _product(self, inputs: tf.Tensor) -> tf.Tensor:
        filters = self._options.filters
        product = tf.matmul(
            tf.reshape(inputs, [-1, math.prod(inputs.shape[1:])]),
            tf.reshape(self.kernel, [-1, filters]),
        )
        return tf.reshape(product, [-1, 1, 1, filters], name="Conv2D")


class SeparableConvolution2D(_Convolution):
    """A convolution of each channel by itself, then one of 1 × 1 pixels."""

    def _compute(self, inputs: tf.Tensor, **_: Any) -> tf.Tensor:
        options = self._options
        depth, multiplier = inputs.shape[-1], options.depth_multiplier
        self.depthwise_kernel = self._variable(
            "depthwise_kernel",
            [*_pair(options.kernel_size), depth, multiplier],
            options.dtype,
        )
        self.pointwise_kernel = self._variable(
            "pointwise_kernel",
            [1, 1, depth * multiplier, options.filters],
            options.dtype,
        )
        outputs = tf.nn.separable_conv2d(
            inputs,
            self.depthwise_kernel,
            self.pointwise_kernel,
            strides=[1, *_pair(options.strides), 1],
            padding=options.padding.upper(),
            dilations=_pair(options.dilation_rate),
        )
        return self._with_bias(outputs)


class BatchNormalization(_Layer):
    """A fused batch norm, https://arxiv.org/abs/1502.03167."""

    def _is_simple(
        self,
        inputs: tf.Tensor,
        *,
        training: bool | tf.Tensor | None = None,
        **_: Any,
    ) -> bool:
        options = self._options
        return (
            super()._is_simple(inputs)
            and inputs.dtype in _COMPUTED_IN
            and options.axis == -1
            and options.fused in (None, True)
            and options.trainable
            and not options.renorm
            and not options.adjustment
            and isinstance(training, bool)
            and isinstance(options.momentum, int | float)
            and _is_one_replica()
        )

    def _compute(
        self, inputs: tf.Tensor, *, training: bool = False, **_: Any
    ) -> tf.Tensor:
        options, shape = self._options, [inputs.shape[-1]]
        gamma, beta = (
            self._variable(name, shape, tf.float32) if has_it else None
            for name, has_it in (("gamma", options.scale), ("beta", options.center))
        )
        statistics = [
            self._variable(
                name,
                shape,
                tf.float32,
                trainable=False,
                synchronization=tf.VariableSynchronization.ON_READ,
                aggregation=tf.VariableAggregation.MEAN,
            )
            for name in ("moving_mean", "moving_variance")
        ]
        self.gamma, self.beta = gamma, beta
        self.moving_mean, self.moving_variance = statistics
        policy = current_policy()
        if policy is not None and policy.only_makes_variables:
            return inputs
        outputs, *updated = v1.nn.fused_batch_norm(
            inputs,
            tf.constant(1.0, shape=shape) if gamma is None else gamma,
            tf.constant(0.0, shape=shape) if beta is None else beta,
            *statistics,
            epsilon=options.epsilon,
            is_training=training,
            exponential_avg_factor=1.0 - options.momentum if training else 1.0,
        )
        if training:
            for statistic, value in zip(statistics, updated, strict=True):
                statistic.assign(value)
        return outputs


def _is_one_replica() -> bool:
    """Whether no other replica computes the rest of the batch.

    Among several, one may get no examples; Keras' layer then leaves its statistics.
    """
    strategy = tf.distribute.get_strategy()
    is_one = isinstance(strategy, tf.distribute.OneDeviceStrategy)
    return is_one or not tf.distribute.has_strategy()


def _pair(number: int | Sequence[int]) -> tuple[int, int]:
    """Height and width, of one number for both or of two."""
    height, width = (number, number) if isinstance(number, int) else number
    return int(height), int(width)
