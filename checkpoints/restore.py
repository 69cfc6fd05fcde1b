"""Restoring variables from a checkpoint."""

from collections.abc import Collection, Iterable, Mapping

import tensorflow as tf

from checkpoints.slim_format import Checkpoint
from errors import UserError

# Suffix of a batch norm's stored average, if a checkpoint holds better statistics
# under the variable's own name: `<variable>/RunningAverage`.
RUNNING_AVERAGE = "RunningAverage"


def restore(
    variables: Mapping[str, tf.Variable], checkpoint: Checkpoint, names: Iterable[str]
) -> None:
    """Sets the named variables to the checkpoint's values.

    Args:
      variables: by their names in the checkpoint.
      checkpoint: where the values are.
      names: which to set; their shapes must fit.
    """
    for name in names:
        variables[name].assign(checkpoint.read(name))


def require_same_net(
    variable_shapes: Mapping[str, tuple[int, ...]], checkpoint: Checkpoint
) -> None:
    """Refuses to continue from a checkpoint of another net.

    Args:
      variable_shapes: the shapes of the net's own variables by name.
      checkpoint: the earlier run's.

    Raises:
      UserError: a variable is missing from it or has another shape.
    """
    unfit = [n for n, s in variable_shapes.items() if checkpoint.shapes.get(n) != s]
    if unfit:
        name = unfit[0]
        found = checkpoint.shapes.get(name, "missing")
        raise UserError(
            f"{checkpoint.path} is of another net: {name} is {found} there and"
            f" {variable_shapes[name]} here ({len(unfit)} differ); use another"
            " --train_dir, or the flags that it was trained with"
        )


def resume(
    variables: Mapping[str, tf.Variable],
    checkpoint: Checkpoint,
    averaged: Collection[str] = (),
) -> list[str]:
    """Sets all variables that the checkpoint of an earlier run of this net holds.

    Args:
      variables: the variables of the net, its optimizer and its averages, by name.
      checkpoint: the earlier run's.
      averaged: those that continue from their running averages, if it holds these.

    Returns:
      Names of the variables that it does not hold, which keep their values: slots of
      another optimizer or of scopes that were not trained.
    """
    held = [
        n for n, v in variables.items() if checkpoint.shapes.get(n) == tuple(v.shape)
    ]
    for name in held:
        running = f"{name}/{RUNNING_AVERAGE}"
        goes_on = name in averaged and running in checkpoint.shapes
        source = running if goes_on else name
        variables[name].assign(checkpoint.read(source))
    return [name for name in variables if name not in set(held)]
