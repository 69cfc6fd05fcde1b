"""TF-Slim on today's TensorFlow: the one place that knows tf_slim's insides.

Nets say `from nets import slim`. Importing it mends tf_slim itself, so that code of
one's own that says `import tf_slim as slim`, before or after, runs too: `_MENDS` lists
what is changed. `batch_norm` and `dropout` obey a `LayerPolicy`: which batch norms are
frozen, who watches the others, and the seed of the dropout masks. Outside a policy they
are slim's own.
"""

import contextlib
import contextvars
import dataclasses
import importlib
import inspect
import itertools
import math
import pkgutil
import sys
import types
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import tensorflow as tf
import tf_keras.src.legacy_tf_layers as legacy_tf_layers


class _LateMetrics(types.ModuleType):
    """sklearn.metrics for tf_slim's clustering losses, loaded when one is computed.

    Loading it takes a sixth of a command's start.
    """

    def __getattr__(self, name: str) -> Any:
        return getattr(importlib.import_module(self.__name__), name)


_is_stand_in = "sklearn.metrics" not in sys.modules
if _is_stand_in:
    sys.modules["sklearn.metrics"] = _LateMetrics("sklearn.metrics")
import tf_slim

if _is_stand_in:
    del sys.modules["sklearn.metrics"]
from tf_keras.src.legacy_tf_layers import variable_scope_shim
from tf_slim.layers import layers as _layers
from tf_slim.layers import utils as _utils
from tf_slim.nets import (  # noqa: F401  (the nets take them from here)
    resnet_utils,
    resnet_v2,
)
from tf_slim.ops import arg_scope as _arg_scope
from tf_slim.ops import variables as _variables

v1 = tf.compat.v1

# tf_slim calls layers in their TF1 manner; the advice is not for our users.
for _module_name in ("tensorflow", "tf_keras"):
    warnings.filterwarnings("ignore", module=_module_name, message=r"`(tf\.)?layers?\.")


def _add_variable_to_collections(
    variable: tf.Variable, collections_set: Any, collections_name: str
) -> None:
    """tf_slim's function of this name, comparing variables by identity."""
    names = _utils.get_variable_collections(collections_set, collections_name) or []
    for name in names:
        collected = tf.compat.v1.get_collection(name)
        if not any(variable is other for other in collected):
            tf.compat.v1.add_to_collection(name, variable)


class _Conv2D(_layers.convolutional_layers.Convolution2D):
    """Computes a fully connected layer, written as a convolution, as what it is.

    It does so in functions; code that reads the operations of a graph finds slim's.
    On CPUs the product takes a third to a fifth of the convolution's time, with its
    gradients; benchmarks/README.md has the figures.
    """

    _convolution_op: Callable[..., tf.Tensor]

    def build(self, input_shape: tf.TensorShape) -> None:
        super().build(input_shape)
        convolve = self._convolution_op

        def convolve_or_multiply(inputs: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
            if not self._sees_all_of(inputs):
                return convolve(inputs, kernel)
            product = tf.matmul(
                tf.reshape(inputs, [-1, math.prod(inputs.shape[1:])]),
                tf.reshape(kernel, [-1, self.filters]),
            )
            return tf.reshape(product, [-1, 1, 1, self.filters], name="Conv2D")

        self._convolution_op = convolve_or_multiply

    def _sees_all_of(self, inputs: tf.Tensor) -> bool:
        sides = tuple(inputs.shape[1:3])
        pads = self.padding == "same" and sides != (1, 1)
        return (
            tf.compat.v1.get_default_graph().building_function
            and self.data_format == "channels_last"
            and sides == self.kernel_size
            and self.dilation_rate == (1, 1)
            and not pads
        )


# (scope of a batch norm, its inputs, the decay of its stored statistics)
BatchNormWatcher = Callable[[str, tf.Tensor, float], None]


@dataclasses.dataclass
class LayerPolicy:
    """How batch norm and dropout behave while a net is built.

    Attributes:
      is_frozen: from the scope of a batch norm, as in
        "InceptionV3/Mixed_7a/Branch_0/Conv2d_0a_1x1/BatchNorm", to whether it uses
        its stored statistics and leaves them alone, even in training.
      dropout_seed: `[2]` int tensor from which every dropout mask of this call is
        derived; None leaves dropout to TensorFlow's own stateful generator.
      batch_norm_decay: decay of the batch norms' stored statistics; None is the
        net's own.
      watch_batch_norm: called for every batch norm that is not frozen, in order of
        building.
    """

    is_frozen: Callable[[str], bool]
    dropout_seed: tf.Tensor | None
    batch_norm_decay: float | None = None
    watch_batch_norm: BatchNormWatcher | None = None
    _layer_ids: Iterator[int] = dataclasses.field(default_factory=itertools.count)

    def next_dropout_seed(self) -> tf.Tensor:
        """A `[2]` seed of its own for each layer that asks, in order of building."""
        return tf.random.experimental.stateless_fold_in(
            self.dropout_seed, next(self._layer_ids)
        )


# Of the current thread: tf.distribute builds each replica in a thread of its own.
_policy: contextvars.ContextVar[LayerPolicy | None] = contextvars.ContextVar(
    "layer_policy", default=None
)


@contextlib.contextmanager
def layer_policy(policy: LayerPolicy) -> Iterator[None]:
    """Nets built inside follow `policy`."""
    token = _policy.set(policy)
    try:
        yield
    finally:
        _policy.reset(token)


_slim_batch_norm = _layers.batch_norm
_slim_dropout = _layers.dropout


def batch_norm(inputs: tf.Tensor, *args: Any, **kwargs: Any) -> tf.Tensor:
    """`tf_slim.batch_norm`, which a `LayerPolicy` can freeze, quicken or watch."""
    if policy := _policy.get():
        outer = tf.compat.v1.get_variable_scope().name
        scope = kwargs.get("scope") or "BatchNorm"
        scope = f"{outer}/{scope}" if outer else scope
        if policy.batch_norm_decay is not None:
            kwargs["decay"] = policy.batch_norm_decay
        if policy.is_frozen(scope):
            kwargs["is_training"] = False
        elif policy.watch_batch_norm:
            policy.watch_batch_norm(scope, inputs, _decay(kwargs))
    return _slim_batch_norm(inputs, *args, **kwargs)


def _decay(kwargs: Mapping[str, Any]) -> float:
    """The decay of a batch norm with these arguments, in the current arg scope."""
    of_scope = _arg_scope.current_arg_scope().get(_slim_batch_norm._key_op, {})
    default = inspect.signature(_slim_batch_norm).parameters["decay"].default
    return {"decay": default, **of_scope, **kwargs}["decay"]


@contextlib.contextmanager
def computing_in(dtype: tf.DType) -> Iterator[None]:
    """Layers built inside on inputs of `dtype` cast their weights to it.

    The variables themselves are float32, whichever call makes them. Batch norms ask for
    float32 parameters by themselves, and get the variables, which they assign to.
    """

    def get(
        getter: Callable[..., tf.Variable], *args: Any, dtype: tf.DType, **kwargs: Any
    ) -> tf.Variable | tf.Tensor:
        variable = getter(*args, dtype=tf.float32, **kwargs)
        # tf.cast would turn a variable of several devices to a tensor at any rate.
        return variable if dtype == tf.float32 else tf.cast(variable, dtype)

    scope = tf.compat.v1.get_variable_scope()
    if dtype == tf.float32:
        yield
    else:
        with tf.compat.v1.variable_scope(scope, custom_getter=get):
            yield


def _dropout(
    inputs: tf.Tensor,
    keep_prob: float = 0.5,
    noise_shape: Any = None,
    is_training: bool = True,
    outputs_collections: Any = None,
    scope: str | None = None,
    seed: int | None = None,
) -> tf.Tensor:
    """`tf_slim.dropout`, its mask drawn from the `LayerPolicy`'s seed if it has one."""
    policy = _policy.get()
    if is_training and policy is not None and policy.dropout_seed is not None:
        inputs = tf.nn.experimental.stateless_dropout(
            inputs, 1 - keep_prob, policy.next_dropout_seed(), noise_shape=noise_shape
        )
        is_training = False
    return _slim_dropout(
        inputs,
        keep_prob=keep_prob,
        noise_shape=noise_shape,
        is_training=is_training,
        outputs_collections=outputs_collections,
        scope=scope,
        seed=seed,
    )


# arg_scope knows a layer by its key: ours answer to the keys of the layers they wrap.
batch_norm._key_op = _slim_batch_norm._key_op  # type: ignore[attr-defined]
_dropout._key_op = _slim_dropout._key_op  # type: ignore[attr-defined]
dropout = tf_slim.add_arg_scope(_dropout)


class _Mend(NamedTuple):
    """Names that a module or class of another library is given, and why."""

    owner: Any
    names: Mapping[str, Any]
    reason: str

    def apply(self) -> None:
        for name, value in self.names.items():
            if self.owner is sys.modules:
                sys.modules[name] = value
            else:
                setattr(self.owner, name, value)


def _legacy_layers() -> dict[str, Any]:
    """tf_keras's layers of TensorFlow 1 by the names that TensorFlow imports."""
    found = {"tf_keras.legacy_tf_layers": legacy_tf_layers}
    for module in pkgutil.iter_modules(legacy_tf_layers.__path__):
        found[f"tf_keras.legacy_tf_layers.{module.name}"] = importlib.import_module(
            f"{legacy_tf_layers.__name__}.{module.name}"
        )
    return found


_run_looper = v1.train.LooperThread.run


def _run_in_a_graph(thread: Any) -> None:
    with tf.Graph().as_default():
        _run_looper(thread)


_MOVED = "TensorFlow moved them; records, metrics and train operations need them"
_MENDS = (
    _Mend(sys.modules, _legacy_layers(), "tf_keras moved them; batch norm loads them"),
    _Mend(
        _utils.control_flow_ops,
        {n: getattr(v1, n) for n in ("Assert", "case", "cond", "while_loop")},
        _MOVED,
    ),
    _Mend(_layers.array_ops, {"stack": v1.stack, "unstack": v1.unstack}, _MOVED),
    _Mend(_utils.ops, {"IndexedSlices": tf.IndexedSlices, "Tensor": tf.Tensor}, _MOVED),
    _Mend(
        _variables.variable_scope,
        {"variable": v1.Variable},
        "TensorFlow removed it; readers count epochs in local variables",
    ),
    _Mend(
        v1.train.LooperThread,
        {"run": _run_in_a_graph},
        "threads of `learning.train` start eager, and save graphs",
    ),
    _Mend(
        _layers,
        {"_add_variable_to_collections": _add_variable_to_collections},
        "`variable in list`, which TensorFlow 2 answers element by element",
    ),
    _Mend(
        _layers.convolutional_layers,
        {"Convolution2D": _Conv2D},
        "speed: a fully connected layer is a product",
    ),
    *(
        _Mend(module, {"batch_norm": batch_norm, "dropout": dropout}, "the policy")
        for module in (tf_slim, tf_slim.layers, _layers)
    ),
)
for _mend in _MENDS:
    _mend.apply()


def safe_arg_scope(funcs: Sequence[Callable], **kwargs: Any) -> Any:
    """`arg_scope` of the arguments that are not None; the others stay as they are."""
    given = {name: value for name, value in kwargs.items() if value is not None}
    return tf_slim.arg_scope(funcs, **given)


track_variables = variable_scope_shim.track_tf1_style_variables
add_arg_scope = tf_slim.add_arg_scope
arg_scope = tf_slim.arg_scope
avg_pool2d = tf_slim.avg_pool2d
collect_named_outputs = _utils.collect_named_outputs
conv2d = tf_slim.conv2d
dataset = tf_slim.dataset
convert_collection_to_dict = _utils.convert_collection_to_dict
flatten = tf_slim.flatten
fully_connected = tf_slim.fully_connected
get_model_variables = tf_slim.get_model_variables
l2_regularizer = tf_slim.l2_regularizer
max_pool2d = tf_slim.max_pool2d
model_variable = tf_slim.model_variable
parallel_reader = tf_slim.parallel_reader
separable_conv2d = tf_slim.separable_conv2d
softmax = tf_slim.softmax
tfexample_decoder = tf_slim.tfexample_decoder
variable = tf_slim.variable
variance_scaling_initializer = tf_slim.variance_scaling_initializer
xavier_initializer = tf_slim.xavier_initializer
