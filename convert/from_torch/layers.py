"""PyTorch's layers in TensorFlow, with PyTorch's padding, on a state dictionary.

Maps are `[batch, height, width, channels]` float32; parameters are found by their
modules' names.
"""

import numpy as np
import tensorflow as tf

from convert.from_torch.state_dict import State

SAME = -1  # padding of half the kernel's size on each side
VALID = 0
LIKE_TENSORFLOW = -2  # SAME, where what is left over goes to the right and below


class Layers:
    """The layers of a trained net.

    Attributes:
      state: parameters by name.
      epsilon: the epsilon of its batch norms.
    """

    def __init__(self, state: State, epsilon: float) -> None:
        """Args as attributes; a state dictionary does not contain epsilon."""
        self.state = state
        self.epsilon = epsilon

    def has(self, module: str) -> bool:
        """Whether the dictionary has the parameters of a module."""
        return f"{module}.weight" in self.state

    def conv(
        self, x: tf.Tensor, name: str, stride: int = 1, padding: int = SAME
    ) -> tf.Tensor:
        """Conv2d."""
        kernel = self.state[f"{name}.weight"].transpose(2, 3, 1, 0)
        sides = [size // 2 if padding == SAME else padding for size in kernel.shape[:2]]
        if padding == LIKE_TENSORFLOW:
            mode = "SAME"
        else:
            mode = "VALID"
            x = tf.pad(x, [(0, 0), *((side, side) for side in sides), (0, 0)])
        if kernel.shape[2] < x.shape[3]:  # depthwise: one group per channel
            kernel = kernel.transpose(0, 1, 3, 2)
            x = tf.nn.depthwise_conv2d(x, kernel, [1, stride, stride, 1], mode)
        else:
            x = tf.nn.conv2d(x, kernel, stride, mode)
        return x + self.state[f"{name}.bias"] if f"{name}.bias" in self.state else x

    def norm(self, x: tf.Tensor, name: str) -> tf.Tensor:
        """BatchNorm2d in evaluation mode."""
        mean, variance, scale, shift = (
            self.state[f"{name}.{part}"]
            for part in ("running_mean", "running_var", "weight", "bias")
        )
        return (x - mean) * (scale / np.sqrt(variance + self.epsilon)) + shift

    def layer_norm(self, x: tf.Tensor, name: str) -> tf.Tensor:
        """LayerNorm over the channels, with the epsilon of transformers, 1e-6."""
        mean, variance = tf.nn.moments(x, [-1], keepdims=True)
        normalized = (x - mean) / tf.sqrt(variance + 1e-6)
        return normalized * self.state[f"{name}.weight"] + self.state[f"{name}.bias"]

    def basic(
        self, x: tf.Tensor, name: str, stride: int = 1, padding: int = SAME
    ) -> tf.Tensor:
        """Convolution, batch norm and ReLU, as in the Inceptions."""
        x = self.conv(x, f"{name}.conv", stride, padding)
        return tf.nn.relu(self.norm(x, f"{name}.bn"))

    def linear(self, x: tf.Tensor, name: str) -> tf.Tensor:
        """Linear, on `[..., in]`."""
        return x @ self.state[f"{name}.weight"].T + self.state[f"{name}.bias"]

    def classify(self, x: tf.Tensor, name: str) -> tf.Tensor:
        """Global pooling, and Linear if the dictionary has it."""
        x = global_pool(x)
        return self.linear(x, name) if self.has(name) else x


def max_pool(x: tf.Tensor, size: int, stride: int, padding: int = 0) -> tf.Tensor:
    """MaxPool2d; the border is padded with minus infinity."""
    sides = [(0, 0), (padding, padding), (padding, padding), (0, 0)]
    x = tf.pad(x, sides, constant_values=x.dtype.min)
    return tf.nn.max_pool2d(x, size, stride, "VALID")


def ceil_max_pool(x: tf.Tensor, size: int) -> tf.Tensor:
    """MaxPool2d(size, stride=2, ceil_mode=True): the last window may reach outside."""
    sides = [(0, 0), (0, 1), (0, 1), (0, 0)]
    x = tf.pad(x, sides, constant_values=x.dtype.min)
    return tf.nn.max_pool2d(x, size, 2, "VALID")


def avg_pool_3x3(x: tf.Tensor, counts_padding: bool) -> tf.Tensor:
    """AvgPool2d(3, stride=1, padding=1), `count_include_pad` or not."""
    if not counts_padding:
        return tf.nn.avg_pool2d(x, 3, 1, "SAME")
    x = tf.pad(x, [(0, 0), (1, 1), (1, 1), (0, 0)])
    return tf.nn.avg_pool2d(x, 3, 1, "VALID")


def global_pool(x: tf.Tensor) -> tf.Tensor:
    """AdaptiveAvgPool2d(1) and flatten: `[batch, channels]`."""
    return tf.reduce_mean(x, [1, 2])
