"""Which variables a warm start restores from a checkpoint.

Whatever does not fit is an error that advises what to exclude.
"""

from collections.abc import Mapping, Sequence

from checkpoints import scopes
from common.untrusted_text import first_few
from errors import UserError


def choose(
    variable_shapes: Mapping[str, tuple[int, ...]],
    checkpoint_path: str,
    checkpoint_shapes: Mapping[str, tuple[int, ...]],
    *,
    exclude_scopes: Sequence[str],
    ignore_missing_vars: bool,
    head_scopes: Sequence[str],
) -> list[str]:
    """Names of the variables that a warm start takes from the checkpoint.

    Args:
      variable_shapes: the net's variables.
      checkpoint_path: for messages.
      checkpoint_shapes: the checkpoint's variables.
      exclude_scopes: value of `--checkpoint_exclude_scopes`.
      ignore_missing_vars: whether to skip variables that the checkpoint lacks.
      head_scopes: what the scope `head` stands for.

    Returns:
      The names, in the net's order.

    Raises:
      UserError: a scope matches nothing, everything is excluded, the checkpoint is of
        another net, or a variable is missing or has another shape.
    """
    flag = "checkpoint_exclude_scopes"
    names = list(variable_shapes)
    excluded = set(
        scopes.select(exclude_scopes, names, flag=flag, head_scopes=head_scopes)
    )
    wanted = [name for name in names if name not in excluded]
    if not wanted:
        raise UserError(
            f"--{flag}={','.join(exclude_scopes)} excludes every variable: to train"
            " from scratch, omit --checkpoint_path"
        )
    present = [name for name in wanted if name in checkpoint_shapes]
    missing = [name for name in wanted if name not in checkpoint_shapes]
    misshapen = [n for n in present if variable_shapes[n] != checkpoint_shapes[n]]
    _require_own_net(
        wanted, misshapen, variable_shapes, checkpoint_path, checkpoint_shapes
    )
    if missing and not ignore_missing_vars:
        raise UserError(
            f"{checkpoint_path} lacks {len(missing)} of the net's variables:"
            f" {first_few(missing)}; initialize them newly with"
            f" --{flag}={_exclusion(missing, exclude_scopes, names, head_scopes)}"
            " or --ignore_missing_vars"
        )
    if misshapen:
        name = misshapen[0]
        raise UserError(
            f"{name} has the shape {_shape(checkpoint_shapes[name])} in"
            f" {checkpoint_path} and {_shape(variable_shapes[name])} in the net"
            f" ({len(misshapen)} in all); initialize it newly with"
            f" --{flag}={_exclusion(misshapen, exclude_scopes, names, head_scopes)}"
        )
    return present


def _require_own_net(
    wanted: Sequence[str],
    misshapen: Sequence[str],
    variable_shapes: Mapping[str, tuple[int, ...]],
    checkpoint_path: str,
    checkpoint_shapes: Mapping[str, tuple[int, ...]],
) -> None:
    """Refuses a checkpoint that is obviously of another net.

    Args:
      wanted: the variables to restore.
      misshapen: those of them that have another shape in the checkpoint.
      variable_shapes: the net's variables.
      checkpoint_path: for messages.
      checkpoint_shapes: the checkpoint's variables.
    """
    if not any(name in checkpoint_shapes for name in wanted):
        raise UserError(
            f"{checkpoint_path} holds none of the net's variables: it has"
            f" {first_few(list(checkpoint_shapes))}, the net has {first_few(wanted)};"
            " check --model_name and --checkpoint_path"
        )
    if len(misshapen) > len(wanted) / 2:
        name = misshapen[0]
        raise UserError(
            f"{checkpoint_path} is of another net: {len(misshapen)} of"
            f" {len(wanted)} variables have other shapes, for instance {name} with"
            f" {_shape(checkpoint_shapes[name])} there and"
            f" {_shape(variable_shapes[name])} in the net; check --model_name"
        )


def _exclusion(
    names: Sequence[str],
    exclude_scopes: Sequence[str],
    all_names: Sequence[str],
    head_scopes: Sequence[str],
) -> str:
    """A value of the exclude flag that covers `names` as well."""
    in_head = {n for n in names if any(scopes.matches(h, n) for h in head_scopes)}
    needed = list(exclude_scopes)
    if in_head and not set(head_scopes) & set(needed):
        needed.append(scopes.HEAD)
    elif in_head:  # part of the head is excluded by its own name already
        heads = [h for h in head_scopes if any(scopes.matches(h, n) for n in all_names)]
        needed += [h for h in heads if h not in needed]
    for name in names:
        if name not in in_head and not any(scopes.matches(s, name) for s in needed):
            needed.append(name.rpartition("/")[0] or name)
    return ",".join(needed)


def _shape(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape)) or "scalar"
