"""Loads a checkpoint's weights into a network for evaluation."""

from collections.abc import Iterable, Mapping

from absl import logging

from checkpoints import restore, scopes
from checkpoints.slim_format import Checkpoint
from common.untrusted_text import first_few
from datasets.dataset import Dataset
from engine.restored import trained_batch_norms
from engine.step.moving_average import SUFFIX
from errors import UserError
from nets.network import Network, is_auxiliary


def load(
    network: Network,
    checkpoint: Checkpoint,
    dataset: Dataset,
    *,
    use_moving_average: bool,
    needs_head: bool = True,
) -> int:
    """Sets the network's variables to the checkpoint's values.

    Args:
      network: the net; variables that evaluation does not read stay as they are.
      checkpoint: with slim's names; a published one need not have a global step.
      dataset: the data to evaluate, for messages.
      use_moving_average: whether to load `<variable>/ExponentialMovingAverage`.
      needs_head: whether to refuse a checkpoint without a head. If not, the net
        must have been built without drawing weights, so that its head is NaN then.

    Returns:
      The checkpoint's global step; 0 if it has none.

    Raises:
      UserError: the checkpoint does not fit, or cannot be read.
    """
    if not use_moving_average and has_averages(checkpoint):
        logging.warning(
            "%s holds moving averages too, which are not evaluated:"
            " --moving_average_decay=0.9999 (or any value but 0) evaluates them",
            checkpoint.path,
        )
    fill(
        network,
        checkpoint,
        dataset,
        use_moving_average=use_moving_average,
        needs_head=needs_head,
    )
    trained_batch_norms.warn_if_lagging(network, checkpoint)
    return checkpoint.global_step or 0


def fill(
    network: Network,
    checkpoint: Checkpoint,
    dataset: Dataset,
    *,
    use_moving_average: bool,
    needs_head: bool = True,
) -> None:
    """Like `load`, without warnings about averages that lag or are not used."""
    sources = _sources(network, use_moving_average)
    if not needs_head and lacks_head(network, checkpoint):
        sources = {n: s for n, s in sources.items() if n not in _head(network)}
    _check_present(network, checkpoint, sources, use_moving_average)
    _check_shapes(network, checkpoint, sources, dataset)
    variables = {s: network.model_variables[name] for name, s in sources.items()}
    restore.restore(variables, checkpoint, variables)


def _sources(network: Network, use_moving_average: bool) -> dict[str, str]:
    """The name in the checkpoint of each variable's value, by the variable's name."""
    needed = evaluated_names(network)
    return {n: f"{n}/{SUFFIX}" if use_moving_average else n for n in needed}


def evaluated_names(network: Network) -> list[str]:
    """The variables that evaluation reads: all but those of auxiliary heads.

    A checkpoint may lack these, or have them for other classes.
    """
    return [n for n in network.model_variables if not is_auxiliary(n)]


def lacks_head(network: Network, checkpoint: Checkpoint) -> bool:
    """Whether a checkpoint holds no part of the net's head."""
    return not any(
        part in checkpoint.shapes
        for name in _head(network)
        for part in (name, f"{name}/{SUFFIX}")
    )


def _head(network: Network) -> list[str]:
    head = network.head_scopes[0]
    return [name for name in network.model_variables if scopes.matches(head, name)]


def has_averages(checkpoint: Checkpoint) -> bool:
    """Whether a checkpoint holds moving averages of variables."""
    return any(name.endswith(f"/{SUFFIX}") for name in checkpoint.shapes)


def _check_present(
    network: Network,
    checkpoint: Checkpoint,
    sources: Mapping[str, str],
    use_moving_average: bool,
) -> None:
    missing = [s for s in sources.values() if s not in checkpoint.shapes]
    if not missing:
        return
    path, model_name = checkpoint.path, network.model_name
    if not any(name in checkpoint.shapes for name in sources):
        raise UserError(
            f"{path} holds no variable of {model_name}: its scopes are"
            f" {_roots(checkpoint.shapes)}, the net's {_roots(sources)}; use the"
            " --model_name that it was trained with"
        )
    if use_moving_average and not has_averages(checkpoint):
        raise UserError(
            f"{path} holds no moving averages, as it was trained without"
            " --moving_average_decay: leave out the flag"
        )
    raise UserError(
        f"{path} lacks {len(missing)} of the {len(sources)} variables of {model_name}:"
        f" {first_few(missing)}; use the --model_name that it was trained with, and its"
        " --final_endpoint and --head_hidden_units if it had them"
    )


def _check_shapes(
    network: Network,
    checkpoint: Checkpoint,
    sources: Mapping[str, str],
    dataset: Dataset,
) -> None:
    shapes = network.variable_shapes()
    misfits = [n for n, s in sources.items() if checkpoint.shapes[s] != shapes[n]]
    if not misfits:
        return
    heads = network.head_scopes
    if all(
        any(scopes.matches(head, name) for head in heads)
        and shapes[name][-1] == network.num_classes
        for name in misfits
    ):
        num_trained = checkpoint.shapes[sources[misfits[0]]][-1]
        raise UserError(
            f"{checkpoint.path} is for {num_trained} classes, but"
            f" {_describe_classes(dataset, network.num_classes)};"
            f" {_remedy(dataset, num_trained)}"
        )
    name = misfits[0]
    raise UserError(
        f"{name} has the shape {checkpoint.shapes[sources[name]]} in {checkpoint.path}"
        f" and {shapes[name]} in {network.model_name} ({len(misfits)} differ): use the"
        " --model_name, --head_hidden_units and --use_grayscale that it was trained"
        " with"
    )


def _describe_classes(dataset: Dataset, num_classes: int) -> str:
    offset = dataset.num_classes - num_classes
    less = f" with --labels_offset={offset}" if offset else ""
    names = (
        f" ({first_few(dataset.class_names[offset:])})" if dataset.class_names else ""
    )
    return f"the data set {dataset.name} has {num_classes}{less}{names}"


def _remedy(dataset: Dataset, num_trained: int) -> str:
    """What to do about a checkpoint for another number of classes."""
    offset = dataset.num_classes - num_trained
    # Classes that no image has, like ImageNet's 0, may be left out at the start.
    if offset >= 0 and not any(dataset.class_counts[:offset]):
        return f"--labels_offset={offset} makes them fit"
    return "evaluate it on the data set that it was trained on"


def _roots(names: Iterable[str]) -> str:
    return first_few(sorted({name.split("/")[0] for name in names if "/" in name}))
