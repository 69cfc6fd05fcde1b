"""TF-Slim on current TensorFlow: the only module that knows tf_slim's internals.

Nets say `from nets import slim`. Importing it patches tf_slim itself, so that your own
code runs too if it says `import tf_slim as slim`, before or after. `_PATCHES` lists
every patch with its reason; apart from it, only warnings are filtered and the loading
of sklearn is deferred.
`batch_norm` and `dropout` follow the `LayerPolicy` in force; without one they are
slim's own.
"""

import functools
import importlib
import inspect
import pkgutil
import sys
import types
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import tensorflow as tf
import tf_keras.src.legacy_tf_layers as legacy_tf_layers


class _LateMetrics(types.ModuleType):
    """sklearn.metrics for tf_slim's clustering losses, loaded when one is computed.

    Loading it takes a sixth of the start-up time of a command.
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

from nets import end_points, slim_layers
from nets.layer_policy import BatchNormWatcher as BatchNormWatcher
from nets.layer_policy import LayerPolicy as LayerPolicy
from nets.layer_policy import computing_in as computing_in
from nets.layer_policy import current_policy, is_kept
from nets.layer_policy import keeping as keeping
from nets.layer_policy import layer_policy as layer_policy
from nets.layer_policy import variable_of_placeholder as variable_of_placeholder
from nets.layer_policy import variables_as_placeholders as variables_as_placeholders

v1 = tf.compat.v1

# tf_slim calls layers the TensorFlow 1 way; users can do nothing about the warning.
for _module_name in ("tensorflow", "tf_keras"):
    warnings.filterwarnings("ignore", module=_module_name, message=r"`(tf\.)?layers?\.")


def _add_variable_to_collections(
    variable: tf.Variable, collections_set: Any, collections_name: str
) -> None:
    """tf_slim's function of this name, but comparing variables by identity."""
    names = _utils.get_variable_collections(collections_set, collections_name) or []
    for name in names:
        collected = tf.compat.v1.get_collection(name)
        if not any(variable is other for other in collected):
            tf.compat.v1.add_to_collection(name, variable)


_slim_batch_norm = _layers.batch_norm
_slim_dropout = _layers.dropout


def batch_norm(inputs: tf.Tensor, *args: Any, **kwargs: Any) -> tf.Tensor:
    """`tf_slim.batch_norm`, which a `LayerPolicy` can freeze, speed up or watch."""
    outer = tf.compat.v1.get_variable_scope().name
    scope = kwargs.get("scope") or "BatchNorm"
    scope = f"{outer}/{scope}" if outer else scope
    if not is_kept(f"{scope}/moving_mean"):
        kwargs["is_training"] = False  # there are no statistics to update
    elif policy := current_policy():
        if policy.batch_norm_decay is not None:
            kwargs["decay"] = policy.batch_norm_decay
        if policy.is_frozen(scope):
            kwargs["is_training"] = False
        elif policy.watch_batch_norm:
            policy.watch_batch_norm(scope, inputs, _decay(kwargs))
    return _slim_batch_norm(inputs, *args, **kwargs)


def _decay(kwargs: Mapping[str, Any]) -> float:
    """The decay of a batch norm with these arguments in the current arg scope."""
    of_scope = _arg_scope.current_arg_scope().get(_slim_batch_norm._key_op, {})
    default = inspect.signature(_slim_batch_norm).parameters["decay"].default
    return {"decay": default, **of_scope, **kwargs}["decay"]


def _dropout(
    inputs: tf.Tensor,
    keep_prob: float = 0.5,
    noise_shape: Any = None,
    is_training: bool = True,
    outputs_collections: Any = None,
    scope: str | None = None,
    seed: int | None = None,
) -> tf.Tensor:
    """`tf_slim.dropout`, with masks drawn from the `LayerPolicy`'s seed, if any."""
    policy = current_policy()
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


# arg_scope identifies a layer by its key: ours have the keys of those they wrap.
batch_norm._key_op = _slim_batch_norm._key_op  # type: ignore[attr-defined]
_dropout._key_op = _slim_dropout._key_op  # type: ignore[attr-defined]
dropout = tf_slim.add_arg_scope(_dropout)


class _Patch(NamedTuple):
    """Names set in a module or class of another library, and why."""

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
    """tf_keras's TensorFlow 1 layers, under the names that TensorFlow imports."""
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


_collect_named_outputs = _utils.collect_named_outputs


def _collect_and_note(collections: Any, alias: str, outputs: tf.Tensor) -> tf.Tensor:
    """tf_slim's function of this name; the ResNets' end points go through it."""
    if collections and end_points.are_noted():
        end_points.note(alias, outputs)
        return outputs  # a collection that is left early would not be cleared
    return _collect_named_outputs(collections, alias, outputs)


_add_regularizer = variable_scope_shim._EagerVariableStore.add_regularizer


def _add_regularizer_of_variable(
    store: Any, variable: tf.Variable | tf.Tensor, regularizer: Callable
) -> None:
    """The store's method of this name, but for weights that `computing_in` casts."""
    is_variable = isinstance(variable, tf.Variable)
    if is_variable or not tf.executing_eagerly():
        _add_regularizer(store, variable, regularizer)


def _with_own_layers(module: types.ModuleType, *names: str) -> types.SimpleNamespace:
    """The classes of a module of layers, with those of these names replaced by ours."""
    ours = {
        name: functools.partial(getattr(slim_layers, name), getattr(module, name))
        for name in names
    }
    return types.SimpleNamespace(**{**vars(module), **ours})


_MOVED = "TensorFlow moved them; records, metrics and train ops need them"
_PATCHES = (
    _Patch(
        sys.modules, _legacy_layers(), "tf_keras moved them; batch norm imports them"
    ),
    _Patch(
        _utils.control_flow_ops,
        {n: getattr(v1, n) for n in ("Assert", "case", "cond", "while_loop")},
        _MOVED,
    ),
    _Patch(_layers.array_ops, {"stack": v1.stack, "unstack": v1.unstack}, _MOVED),
    _Patch(
        _utils.ops, {"IndexedSlices": tf.IndexedSlices, "Tensor": tf.Tensor}, _MOVED
    ),
    _Patch(
        _variables.variable_scope,
        {"variable": v1.Variable},
        "TensorFlow removed it; readers count epochs in local variables",
    ),
    _Patch(
        v1.train.LooperThread,
        {"run": _run_in_a_graph},
        "the threads of `learning.train` start in eager mode, but save graphs",
    ),
    _Patch(
        _layers,
        {"_add_variable_to_collections": _add_variable_to_collections},
        "it tests `variable in list`, which TensorFlow 2 compares by element",
    ),
    _Patch(
        _utils,
        {"collect_named_outputs": _collect_and_note},
        "nets that end at one of their end points",
    ),
    _Patch(
        variable_scope_shim._EagerVariableStore,
        {"add_regularizer": _add_regularizer_of_variable},
        "it asks for a name, which cast weights have in graphs only",
    ),
    _Patch(
        _layers,
        {
            "convolutional_layers": _with_own_layers(
                _layers.convolutional_layers, "Convolution2D", "SeparableConvolution2D"
            ),
            "normalization_layers": _with_own_layers(
                legacy_tf_layers.normalization, "BatchNormalization"
            ),
        },
        "speed: the layers of a `Network` keep no books",
    ),
    *(
        _Patch(
            module,
            {"batch_norm": batch_norm, "dropout": dropout},
            "they follow the `LayerPolicy`",
        )
        for module in (tf_slim, tf_slim.layers, _layers)
    ),
)
for _patch in _PATCHES:
    _patch.apply()


def safe_arg_scope(funcs: Sequence[Callable], **kwargs: Any) -> Any:
    """`arg_scope` of the arguments that are not None; others are left unchanged."""
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
