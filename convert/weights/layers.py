"""A layer of another framework as slim's variables, with exact folding."""

import dataclasses
from collections.abc import Mapping

import numpy as np

from errors import UserError

Shapes = Mapping[str, tuple[int, ...]]


@dataclasses.dataclass(frozen=True)
class BatchNorm:
    """gamma * (x - mean) / sqrt(variance + epsilon) + beta, per channel.

    Attributes:
      mean: moving mean, `[channels]`.
      variance: moving variance, `[channels]`.
      beta: shift, `[channels]`.
      gamma: scale, `[channels]`; None is 1.
      epsilon: added to the variance.
    """

    mean: np.ndarray
    variance: np.ndarray
    beta: np.ndarray
    gamma: np.ndarray | None
    epsilon: float


@dataclasses.dataclass(frozen=True)
class Layer:
    """A convolution or dense layer and the batch norm after it, or only one of them.

    Attributes:
      kernels: by slim's name: `weights`, `[height, width, in, out]` or, for a dense
        layer, `[in, out]`; `depthwise_weights`, `[height, width, in, multiplier]`;
        for a separable convolution both `depthwise_weights` and `pointwise_weights`.
      bias: `[out]`.
      batch_norm: the batch norm after the layer.
    """

    kernels: Mapping[str, np.ndarray] = dataclasses.field(default_factory=dict)
    bias: np.ndarray | None = None
    batch_norm: BatchNorm | None = None


def slim_variables(
    scope: str, layer: Layer, shapes: Shapes, epsilon: float
) -> dict[str, np.ndarray]:
    """The variables under a scope of a slim net that compute what `layer` computes.

    If slim's layer has no batch norm, the source's is folded into the kernel and the
    biases. A bias before a batch norm is folded into its moving mean. If slim's epsilon
    e differs from the source's e', or slim's batch norm has no scale, the factor
    gamma * sqrt((variance + e) / (variance + e')) becomes slim's gamma or, without
    one, a factor of the kernel and the moving mean. All this is exact in inference and
    with frozen batch norms; the moving variance keeps its meaning.

    Args:
      scope: the layer's scope in slim's net.
      layer: what the source computes there.
      shapes: shapes of the net's variables by name.
      epsilon: the epsilon of the net's batch norms.

    Returns:
      Values by variable name, float32.

    Raises:
      UserError: a shape differs, or slim's layer has no place for a part of the
        source's layer.
    """
    if f"{scope}/biases" in shapes:
        layer = _without_batch_norm(layer)
    if layer.batch_norm is None:
        kernels = {f"{scope}/{name}": values for name, values in layer.kernels.items()}
        variables = kernels | _biases(scope, layer, shapes)
    else:
        variables = _normalized(scope, layer, layer.batch_norm, shapes, epsilon)
    return {
        name: _as_shape(name, values, shapes).astype(np.float32)
        for name, values in variables.items()
    }


def _without_batch_norm(layer: Layer) -> Layer:
    """The layer with its batch norm, if any, folded into the kernel and the bias."""
    norm = layer.batch_norm
    if norm is None:
        return layer
    factor = 1 / np.sqrt(norm.variance.astype(np.float64) + norm.epsilon)
    if norm.gamma is not None:
        factor = factor * norm.gamma
    mean = norm.mean if layer.bias is None else norm.mean - layer.bias
    return Layer(_scaled(layer.kernels, factor), norm.beta - mean * factor)


def _biases(scope: str, layer: Layer, shapes: Shapes) -> dict[str, np.ndarray]:
    name = f"{scope}/biases"
    if layer.bias is not None:
        return {name: layer.bias}
    return {name: np.zeros(shapes[name])} if name in shapes else {}


def _normalized(
    scope: str, layer: Layer, norm: BatchNorm, shapes: Shapes, epsilon: float
) -> dict[str, np.ndarray]:
    inner = f"{scope}/BatchNorm"
    norm_scope = inner if f"{inner}/moving_mean" in shapes else scope
    variance = norm.variance.astype(np.float64)
    factor = np.sqrt((variance + epsilon) / (variance + norm.epsilon))
    if norm.gamma is not None:
        factor = factor * norm.gamma
    mean = norm.mean if layer.bias is None else norm.mean - layer.bias
    variables = {f"{norm_scope}/beta": norm.beta}
    kernels = {f"{scope}/{name}": values for name, values in layer.kernels.items()}
    if f"{norm_scope}/gamma" in shapes:
        variables[f"{norm_scope}/gamma"] = factor
    elif np.any(factor != 1):
        if not kernels:
            raise UserError(
                f"{scope}: slim's batch norm has no scale here, and there is no"
                " convolution before it to fold the source's scale into"
            )
        kernels = _scaled(kernels, factor)
        mean = mean * factor
    variables[f"{norm_scope}/moving_mean"] = mean
    variables[f"{norm_scope}/moving_variance"] = norm.variance
    return kernels | variables


def _scaled(
    kernels: Mapping[str, np.ndarray], factor: np.ndarray
) -> dict[str, np.ndarray]:
    """The kernels, scaled so that each output channel is multiplied by `factor`."""
    *_, last = kernels
    kernel = kernels[last]
    if last.endswith("depthwise_weights"):
        factor = factor.reshape(kernel.shape[2:])
    return {**kernels, last: kernel * factor}


def _as_shape(name: str, values: np.ndarray, shapes: Shapes) -> np.ndarray:
    expected = shapes.get(name)
    if expected is None:
        raise UserError(
            f"the source has values for {name}, which is not a variable of slim's net"
        )
    # A dense layer is a convolution over the whole remaining map.
    is_dense = values.ndim == 2 and values.size == np.prod(expected)
    if values.shape != expected and not (is_dense and values.shape[1] == expected[-1]):
        raise UserError(
            f"{name} has shape {expected} in slim's net and {values.shape} in the"
            " source: a variant of the net, or one of another width"
        )
    return values.reshape(expected)
