"""A net as a `tf.Module`: variables under slim's names, and a call that runs it."""

import contextlib
import gc
import inspect
import re
from collections.abc import Iterable, Iterator, Mapping

import tensorflow as tf

from errors import UserError
from nets import nets_factory, slim
from nets.late_values import LateValues
from nets.new_head import OWN_HEAD, NewHead

COMPUTE_DTYPES = {
    "float32": tf.float32,
    "mixed_bfloat16": tf.bfloat16,
    "mixed_float16": tf.float16,
}

# The second heads of Inception and NASNet nets.
_AUXILIARY_HEAD = re.compile(r"(^|/)(AuxLogits|aux_\d+)(/|$)")


class Network(tf.Module):
    """A net of the factory together with its variables.

    Variables are created by the constructor: under `strategy.scope()` they belong to
    the strategy. Calls, also inside a `tf.function`, only use them.

    Attributes:
      model_name: its name in `nets_factory.NETWORKS`.
      num_classes: number of logits.
      head: replaces the net's own; false if the net keeps its own.
      head_scopes: scopes of the head, the auxiliary one included: what fine-tuning
        leaves out of a checkpoint and trains first.
      image_size: side of the square input images, in pixels.
      input_shape: (image_size, image_size, channels).
      precision: compute dtype of the layers, a key of `COMPUTE_DTYPES`.
      model_variables: all variables by slim's names, in order of creation.
      regularized: those in slim's L2 penalty, in the same order.
      batch_norm_decays: the net's own decay of the statistics of each batch norm, by
        scope.
    """

    def __init__(
        self,
        model_name: str,
        *,
        num_classes: int,
        image_size: int | None = None,
        channels: int = 3,
        precision: str = "float32",
        head: NewHead = OWN_HEAD,
        draw_weights: bool = True,
    ) -> None:
        """Builds the variables.

        Args:
          model_name: a key of `nets_factory.NETWORKS`.
          num_classes: number of logits.
          image_size: side of the input images in pixels; None is the net's default.
          channels: channels of the input images: 3, or 1 for grayscale.
          precision: compute dtype of the layers, a key of `COMPUTE_DTYPES`; variables,
            including batch-norm statistics, are always float32.
          head: replaces the net's own.
          draw_weights: gives the variables their initial values; otherwise they are NaN
            until they are restored or `draw_all_but` is called.

        Raises:
          UserError: there is no such net, it cannot be built for this image size, it
            cannot end where the head is to begin, or memory is too small.
        """
        super().__init__(name=model_name)
        self._strategy = tf.distribute.get_strategy()
        entry = nets_factory.get_entry(model_name)
        self.model_name = model_name
        self.num_classes = num_classes
        self.head = head
        self.head_scopes = nets_factory.head_scopes(model_name, head)
        self.image_size = image_size or entry.image_size
        self.input_shape = (self.image_size, self.image_size, channels)
        self._options = builder_options(entry, self.image_size)
        # The store registers a regularized variable by the tensor its layer uses,
        # which must be the variable itself: hence float32.
        self.precision = "float32"
        # Any nonzero weight decay marks the regularized variables.
        self._network_fns = self._make_network_fns(weight_decay=1.0)
        self._late_values = LateValues()
        late = tf.variable_creator_scope(self._late_values.create)
        scope = contextlib.nullcontext() if draw_weights else late
        with _explained_lack_of_memory(model_name), scope:
            self._build(entry)
        # The penalty is computed from the variables; calls need not compute it again.
        self._network_fns = self._make_network_fns(weight_decay=0.0)
        self.precision = precision
        store = self._tf1_style_var_store
        self.model_variables: dict[str, tf.Variable] = dict(store._vars)
        self.regularized: list[tf.Variable] = [
            variable
            for name, variable in self.model_variables.items()
            if variable.name in store._regularizers
        ]

    def _make_network_fns(
        self, *, weight_decay: float
    ) -> dict[bool, nets_factory.NetworkFn]:
        return {
            is_training: nets_factory.get_network_fn(
                *(self.model_name, self.num_classes, weight_decay, is_training),
                self.head,
            )
            for is_training in (True, False)
        }

    def _build(self, entry: nets_factory.NetEntry) -> None:
        # The variables live outside this graph. A tf.function would be traced twice:
        # once with variables to create, and once without.
        graph = tf.__internal__.FuncGraph("build")
        self.batch_norm_decays: dict[str, float] = {}

        def note_decay(scope: str, _: tf.Tensor, decay: float) -> None:
            self.batch_norm_decays[scope] = decay

        policy = slim.LayerPolicy(
            is_frozen=lambda _: False,
            dropout_seed=None,
            watch_batch_norm=note_decay,
            trained_names=frozenset(),  # leaves out drop paths, which have no variables
            only_makes_variables=True,
        )
        try:
            with graph.as_default():
                self._run(tf.zeros((2, *self.input_shape)), policy, is_training=True)
        except UserError:
            raise
        except ValueError as error:
            raise UserError(
                f"{self.model_name} cannot be built for images of"
                f" {self.image_size}x{self.image_size} pixels: {short_reason(error)};"
                f" its default size is {entry.image_size}"
            ) from error

    def draw_all_but(self, restored: Iterable[str], seed: int) -> None:
        """Gives variables the initial values that the constructor did not draw.

        Args:
          restored: names of the variables that are left as they are.
          seed: becomes TensorFlow's global seed. It determines the values of those that
            are drawn, in the order of their creation.
        """
        tf.random.set_seed(seed)
        kept = set(restored)
        others = {n: v for n, v in self.model_variables.items() if n not in kept}
        with _explained_lack_of_memory(self.model_name), self._strategy.scope():
            self._late_values.draw(others)

    @property
    def key(self) -> str:
        """Text that tells this net from others, whatever its classes."""
        return self.key_with(self.head)

    def key_with(self, head: NewHead) -> str:
        """The `key` that this net would have with another head."""
        return f"{self.model_name} with {head}" if head else self.model_name

    def variable_shapes(self) -> dict[str, tuple[int, ...]]:
        """The shapes of all variables by name."""
        return {name: tuple(v.shape) for name, v in self.model_variables.items()}

    @tf.autograph.experimental.do_not_convert  # it takes longer than the tracing
    def __call__(
        self,
        images: tf.Tensor,
        *,
        is_training: bool,
        frozen_batch_norms: Iterable[str] = (),
        trained_names: Iterable[str] | None = None,
        batch_norm_decay: float | None = None,
        dropout_seed: tf.Tensor | None = None,
        watch_batch_norm: slim.BatchNormWatcher | None = None,
    ) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
        """Runs the net.

        Args:
          images: `[batch, image_size, image_size, channels]` float32, preprocessed.
          is_training: whether batch norm uses batch statistics and updates the stored
            ones, and dropout is on.
          frozen_batch_norms: scopes of the batch norms that stay in inference mode.
          trained_names: the names of the variables that training changes: blocks
            without one have no drop path; None: all.
          batch_norm_decay: decay of the other batch norms' stored statistics; None is
            the net's own.
          dropout_seed: `[2]` int tensor that determines the dropout masks; None leaves
            them to TensorFlow's stateful generator.
          watch_batch_norm: called for every batch norm that is not frozen.

        Returns:
          The logits, `[batch, num_classes]` float32, and the end points by slim's
          names, float32 as well.
        """
        policy = slim.LayerPolicy(
            frozenset(frozen_batch_norms).__contains__,
            dropout_seed,
            batch_norm_decay,
            watch_batch_norm,
            None if trained_names is None else frozenset(trained_names),
        )
        return self._run(images, policy, is_training=is_training)

    @slim.track_variables
    def _run(
        self, images: tf.Tensor, policy: slim.LayerPolicy, *, is_training: bool
    ) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
        dtype = COMPUTE_DTYPES[self.precision]
        with (
            _on_one_replica(self._strategy),
            _garbage_uncollected(),
            slim.layer_policy(policy),
            slim.computing_in(dtype),
        ):
            outputs = self._network_fns[is_training](
                tf.cast(images, dtype), **self._options
            )
        return tf.nest.map_structure(
            lambda tensor: tf.cast(tensor, tf.float32), outputs
        )


@contextlib.contextmanager
def _explained_lack_of_memory(model_name: str) -> Iterator[None]:
    try:
        yield
    except tf.errors.ResourceExhaustedError as error:
        raise UserError(
            f"the variables of {model_name} do not fit into memory: choose a smaller"
            " net, or lower --head_hidden_units"
        ) from error


def _on_one_replica(
    strategy: tf.distribute.Strategy,
) -> contextlib.AbstractContextManager[object]:
    """A call outside of `strategy.run` reads this machine's first copy of variables.

    Otherwise reading a statistic of batch norm would average the copies of all devices,
    of which those on other machines may be busy with something else.
    """
    if tf.distribute.has_strategy() or strategy.num_replicas_in_sync == 1:
        return contextlib.nullcontext()
    local = strategy.extended.worker_devices
    resolver = strategy.cluster_resolver
    machine = resolver.task_id if resolver else 0
    return tf.distribute.ReplicaContext(strategy, machine * len(local))


@contextlib.contextmanager
def _garbage_uncollected() -> Iterator[None]:
    """Pauses Python's garbage collector while a net is built or traced.

    It would search all operations again and again, of which none is garbage yet, for a
    tenth of the time that building takes. The pause is of the whole process.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def first_kernel(shapes: Mapping[str, tuple[int, ...]]) -> str:
    """The name of a net's first kernel, `[height, width, channels of images, …]`.

    Args:
      shapes: the shapes of the net's variables by name, in order of creation.
    """
    return next(name for name, shape in shapes.items() if len(shape) == 4)


def is_auxiliary(name: str) -> bool:
    """Whether a name is within an auxiliary head, which only training reads."""
    return bool(_AUXILIARY_HEAD.search(name))


def builder_options(entry: nets_factory.NetEntry, image_size: int) -> dict[str, bool]:
    """What a net's builder needs to know of the size of its images."""
    # For nets that have a fixed size in slim: larger images leave a map to pool.
    takes_it = "global_pool" in inspect.signature(entry.builder).parameters
    larger = image_size > entry.image_size
    return {"global_pool": True} if takes_it and larger else {}


def short_reason(error: ValueError) -> str:
    """The last line of a traced function's message, without its operation."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1].partition(" for '{{")[0].rstrip(".")
