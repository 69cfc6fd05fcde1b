"""How batch norm, dropout, drop path and precision behave while a net is built.

`slim.py` makes batch norm and dropout follow the `LayerPolicy` in force.
"""

import contextlib
import contextvars
import dataclasses
import itertools
from collections.abc import Callable, Iterator
from typing import Any

import tensorflow as tf

# (scope of a batch norm, its inputs, the decay of its stored statistics)
BatchNormWatcher = Callable[[str, tf.Tensor, float], None]


@dataclasses.dataclass
class LayerPolicy:
    """How batch norm, dropout and drop path behave while a net is built.

    Attributes:
      is_frozen: maps the scope of a batch norm, such as
        "InceptionV3/Mixed_7a/Branch_0/Conv2d_0a_1x1/BatchNorm", to whether it uses its
        stored statistics and does not update them, even in training.
      dropout_seed: `[2]` int tensor from which every dropout mask of this call is
        derived; None leaves dropout to TensorFlow's stateful generator.
      batch_norm_decay: decay of the batch norms' stored statistics; None is the net's
        own.
      watch_batch_norm: called for every batch norm that is not frozen, in the order in
        which they are built.
      trained_names: the names of the variables that training changes; None: all.
      only_makes_variables: whether nobody reads what the net computes, so that layers
        without effect on shapes may return their inputs.
    """

    is_frozen: Callable[[str], bool]
    dropout_seed: tf.Tensor | None
    batch_norm_decay: float | None = None
    watch_batch_norm: BatchNormWatcher | None = None
    trained_names: frozenset[str] | None = None
    only_makes_variables: bool = False
    _layer_ids: Iterator[int] = dataclasses.field(default_factory=itertools.count)

    def trains(self, scope: str) -> bool:
        """Whether training changes a variable in a scope."""
        return self.trained_names is None or any(
            name.startswith(f"{scope}/") for name in self.trained_names
        )

    def next_dropout_seed(self) -> tf.Tensor:
        """A new `[2]` seed for each layer that asks, in the order they are built."""
        return tf.random.experimental.stateless_fold_in(
            self.dropout_seed, next(self._layer_ids)
        )


# Per thread, since tf.distribute builds each replica in its own thread.
_policy: contextvars.ContextVar[LayerPolicy | None] = contextvars.ContextVar(
    "layer_policy", default=None
)


@contextlib.contextmanager
def layer_policy(policy: LayerPolicy) -> Iterator[None]:
    """Nets built inside follow `policy` alone."""
    token = _policy.set(policy)
    try:
        yield
    finally:
        _policy.reset(token)


def current_policy() -> LayerPolicy | None:
    """The policy in force in this thread, if any."""
    return _policy.get()


@contextlib.contextmanager
def computing_in(dtype: tf.DType) -> Iterator[None]:
    """Layers built inside, on inputs of `dtype`, cast their weights to it.

    The variables themselves are float32, whichever call creates them. Batch norms ask
    for float32 parameters, and get the variables, to which they assign.
    """

    def get(
        getter: Callable[..., tf.Variable], *args: Any, dtype: tf.DType, **kwargs: Any
    ) -> tf.Variable | tf.Tensor:
        variable = getter(*args, dtype=tf.float32, **kwargs)
        # Even to its own dtype, tf.cast turns a distributed variable into a tensor.
        return variable if dtype == tf.float32 else tf.cast(variable, dtype)

    scope = tf.compat.v1.get_variable_scope()
    if dtype == tf.float32:
        yield
    else:
        with tf.compat.v1.variable_scope(scope, custom_getter=get):
            yield


# Full names of the only variables that layers have; None: all.
_kept: contextvars.ContextVar[frozenset[str] | None] = contextvars.ContextVar(
    "kept", default=None
)


@contextlib.contextmanager
def keeping(names: frozenset[str]) -> Iterator[None]:
    """Layers built inside have variables of these names only, zeros for any other.

    For the layers of a net that a part of it does not read: they are built, cost
    nothing where the graph is run, and no checkpoint has them.
    """

    def get(
        getter: Callable[..., tf.Variable], name: str, *args: Any, **kwargs: Any
    ) -> tf.Variable | tf.Tensor:
        if name in names:
            return getter(name, *args, **kwargs)
        zeros = tf.zeros(kwargs["shape"], kwargs["dtype"])
        # Layers ask for a name, which only variables have outside of graphs.
        return tf.Variable(zeros) if tf.executing_eagerly() else zeros

    token = _kept.set(names)
    try:
        scope = tf.compat.v1.get_variable_scope()
        with tf.compat.v1.variable_scope(scope, custom_getter=get):
            yield
    finally:
        _kept.reset(token)


def is_kept(name: str) -> bool:
    """Whether layers have the variable of this full name; see `keeping`."""
    kept = _kept.get()
    return kept is None or name in kept


_PLACEHOLDERS = "variables/"  # name scope


@contextlib.contextmanager
def variables_as_placeholders() -> Iterator[None]:
    """Layers built inside, in a graph, have a placeholder in place of each variable.

    For a graph that is looked at, but never run: making variables takes longer than
    all the rest.
    """
    made: dict[str, tf.Tensor] = {}

    def get(
        getter: object, name: str, *, shape: Any, dtype: tf.DType, **_: Any
    ) -> tf.Tensor:
        del getter  # it would make the variable
        if name not in made:
            with tf.name_scope(_PLACEHOLDERS):
                made[name] = tf.compat.v1.placeholder(dtype, shape, name=name)
        return made[name]

    scope = tf.compat.v1.get_variable_scope()
    with tf.compat.v1.variable_scope(scope, custom_getter=get):
        yield


def variable_of_placeholder(op: tf.Operation) -> str | None:
    """The variable for which an operation is the placeholder; None if it is another."""
    is_one = op.type == "Placeholder" and op.name.startswith(_PLACEHOLDERS)
    return op.name.removeprefix(_PLACEHOLDERS) if is_one else None
