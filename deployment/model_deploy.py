"""slim's `model_deploy` on one machine: a model's clones in a TensorFlow 1 graph.

For training loops that were written against slim. This project's own scripts train by
`tf.distribute`, in `engine/`. A clone is the model on one device; all share
the variables, the loss is the mean of the clones', and so are its gradients:

    config = model_deploy.DeploymentConfig(num_clones=2)
    with tf.device(config.optimizer_device()):
        optimizer = tf.compat.v1.train.MomentumOptimizer(0.01, 0.9)
    model = model_deploy.deploy(config, build_model, [images], optimizer=optimizer)
    slim.learning.train(model.train_op, train_dir)
"""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import tensorflow as tf

from errors import UserError
from nets import slim

v1 = tf.compat.v1

_GradsAndVars = list[tuple[tf.Tensor, tf.Variable]]


class Clone(NamedTuple):
    """One clone: what its model gave, its name scope, and its device."""

    outputs: Any
    scope: str
    device: str


class DeployedModel(NamedTuple):
    """A deployed model; `train_op` is None without an optimizer."""

    train_op: tf.Tensor | None
    summary_op: tf.Tensor | None
    total_loss: tf.Tensor | None
    clones: list[Clone]


@dataclasses.dataclass(frozen=True)
class DeploymentConfig:
    """Which devices a model is deployed to.

    Attributes:
      num_clones: one a GPU.
      clone_on_cpu: all on the CPU.
      replica_id: only 0.
      num_replicas: only 1; other machines are not supported.
      num_ps_tasks: only 0; there are no parameter servers.
      worker_job_name: of no effect, as is the next.
      ps_job_name: see above.
    """

    num_clones: int = 1
    clone_on_cpu: bool = False
    replica_id: int = 0
    num_replicas: int = 1
    num_ps_tasks: int = 0
    worker_job_name: str = "worker"
    ps_job_name: str = "ps"

    def __post_init__(self) -> None:
        """Refuses what needs more than one machine."""
        if self.num_clones < 1:
            raise UserError(f"num_clones={self.num_clones}: expected 1 or more")
        if (self.replica_id, self.num_replicas, self.num_ps_tasks) != (0, 1, 0):
            raise UserError(
                f"num_replicas={self.num_replicas}, replica_id={self.replica_id},"
                f" num_ps_tasks={self.num_ps_tasks}: only one machine is supported; use"
                " num_clones for its devices"
            )

    def caching_device(self) -> None:
        """Where variables are cached: nowhere, on one machine."""

    def clone_device(self, clone_index: int) -> str:
        """The device of a clone.

        Raises:
          ValueError: there is no such clone.
        """
        self._check(clone_index)
        return "/device:CPU:0" if self.clone_on_cpu else f"/device:GPU:{clone_index}"

    def clone_scope(self, clone_index: int) -> str:
        """The name scope of a clone; "" of the only one.

        Raises:
          ValueError: there is no such clone.
        """
        self._check(clone_index)
        return f"clone_{clone_index}" if self.num_clones > 1 else ""

    def optimizer_device(self) -> str:
        """The device that the gradients come together on."""
        return "/device:CPU:0"

    def inputs_device(self) -> str:
        """The device that makes the batches."""
        return "/device:CPU:0"

    def variables_device(self) -> str:
        """The device that holds the variables."""
        return "/device:CPU:0"

    def _check(self, clone_index: int) -> None:
        if not 0 <= clone_index < self.num_clones:
            raise ValueError(
                f"clone_index={clone_index}: there are {self.num_clones} clones"
            )


def create_clones(
    config: DeploymentConfig,
    model_fn: Callable[..., Any],
    args: Sequence[Any] | None = None,
    kwargs: Mapping[str, Any] | None = None,
) -> list[Clone]:
    """Builds a model once a clone, the variables shared.

    Args:
      config: the devices.
      model_fn: builds it, in the current graph; its losses go into the collection of
        losses.
      args: what it is called with.
      kwargs: the same, by name.

    Returns:
      The clones.
    """
    clones = []
    layers = [slim.model_variable, slim.variable]
    with slim.arg_scope(layers, device=config.variables_device()):
        for index in range(config.num_clones):
            device = config.clone_device(index)
            with (
                v1.name_scope(config.clone_scope(index)) as scope,
                tf.device(device),
                v1.variable_scope(v1.get_variable_scope(), reuse=index > 0 or None),
            ):
                outputs = model_fn(*(args or ()), **(kwargs or {}))
            clones.append(Clone(outputs, scope, device))
    return clones


def optimize_clones(
    clones: Sequence[Clone],
    optimizer: tf.compat.v1.train.Optimizer,
    regularization_losses: Sequence[tf.Tensor] | None = None,
    **kwargs: Any,
) -> tuple[tf.Tensor | None, _GradsAndVars]:
    """The loss over all clones, and its gradients.

    Args:
      clones: from `create_clones`.
      optimizer: computes the gradients.
      regularization_losses: added once; None takes those of the collection.
      **kwargs: for the optimizer's `compute_gradients`.

    Returns:
      The loss, None if no clone has any, and pairs of gradient and variable.
    """
    losses, gradients = [], []
    if regularization_losses is None:
        regularization_losses = v1.get_collection(v1.GraphKeys.REGULARIZATION_LOSSES)
    for clone in clones:
        with tf.device(clone.device):
            loss = _clone_loss(clone, len(clones), regularization_losses)
            if loss is not None:
                losses.append(loss)
                gradients.append(optimizer.compute_gradients(loss, **kwargs))
        regularization_losses = []  # the first clone's alone
    if not losses:
        return None, []
    return tf.add_n(losses, name="total_loss"), _sum_gradients(gradients)


def deploy(
    config: DeploymentConfig,
    model_fn: Callable[..., Any],
    args: Sequence[Any] | None = None,
    kwargs: Mapping[str, Any] | None = None,
    optimizer: tf.compat.v1.train.Optimizer | None = None,
    summarize_gradients: bool = False,
) -> DeployedModel:
    """Builds a model's clones, and what trains them.

    Args:
      config: the devices.
      model_fn: as of `create_clones`.
      args: the same.
      kwargs: the same.
      optimizer: None builds no training.
      summarize_gradients: adds histograms of the gradients.

    Returns:
      The deployed model. Running its `train_op` makes a step, with the updates of the
      first clone's batch norms, and gives the loss.
    """
    clones = create_clones(config, model_fn, args, kwargs)
    train_op = None
    with tf.device(config.optimizer_device()):
        if optimizer is None:
            total_loss = _clones_loss(clones)
        else:
            step = v1.train.get_or_create_global_step()
            total_loss, grads_and_vars = optimize_clones(clones, optimizer)
            if total_loss is not None:
                if summarize_gradients:
                    _summarize(grads_and_vars)
                updates = v1.get_collection(v1.GraphKeys.UPDATE_OPS, clones[0].scope)
                updates.append(optimizer.apply_gradients(grads_and_vars, step))
                with tf.control_dependencies(updates):
                    train_op = tf.identity(total_loss, name="train_op")
        if total_loss is not None:
            v1.summary.scalar("total_loss", total_loss)
        return DeployedModel(train_op, v1.summary.merge_all(), total_loss, clones)


def _clones_loss(clones: Sequence[Clone]) -> tf.Tensor | None:
    """The loss over all clones, for a model that is not trained."""
    regularization = v1.get_collection(v1.GraphKeys.REGULARIZATION_LOSSES)
    losses = [
        _clone_loss(clone, len(clones), [] if index else regularization)
        for index, clone in enumerate(clones)
    ]
    losses = [loss for loss in losses if loss is not None]
    return tf.add_n(losses, name="total_loss") if losses else None


def _clone_loss(
    clone: Clone, num_clones: int, regularization_losses: Sequence[tf.Tensor]
) -> tf.Tensor | None:
    """A clone's share of the loss; the penalty is added as it is."""
    losses = v1.get_collection(v1.GraphKeys.LOSSES, clone.scope)
    parts = []
    if losses:
        loss = tf.add_n(losses, name="clone_loss")
        v1.summary.scalar("Losses/clone_loss", loss)
        parts.append(tf.divide(loss, num_clones, name="scaled_clone_loss"))
    if regularization_losses:
        penalty = tf.add_n(regularization_losses, name="regularization_loss")
        v1.summary.scalar("Losses/regularization_loss", penalty)
        parts.append(penalty)
    return tf.add_n(parts) if parts else None


def _sum_gradients(gradients: Sequence[_GradsAndVars]) -> _GradsAndVars:
    """Of each variable the sum over clones; a variable without one is left out."""
    summed = []
    for pairs in zip(*gradients, strict=True):
        given = [gradient for gradient, _ in pairs if gradient is not None]
        if given:
            total = given[0] if len(given) == 1 else tf.add_n(given)
            summed.append((total, pairs[0][1]))
    return summed


def _summarize(grads_and_vars: _GradsAndVars) -> None:
    for gradient, variable in grads_and_vars:
        v1.summary.histogram(f"{variable.op.name}/gradient", gradient)
