"""Which net a state dictionary of PyTorch belongs to."""

from absl import logging

from common.untrusted_text import first_few
from convert.from_torch.architecture import Architecture
from convert.from_torch.architectures import ARCHITECTURES
from convert.from_torch.state_dict import State
from errors import UserError


def recognize(state: State, model_name: str | None = None) -> Architecture:
    """The net that a state dictionary belongs to.

    Args:
      state: parameters by name.
      model_name: slim's net to convert it to; None is the usual one.

    Raises:
      UserError: it is not a net that can be converted, or not to this net.
    """
    found = [
        architecture for architecture in ARCHITECTURES if architecture.is_in(state)
    ]
    # Larger nets have a net's markers, too; they come before it in the table.
    fitting = [a for a in found if a.markers == found[0].markers]
    for architecture in fitting:
        if model_name in (None, architecture.model_name):
            architecture.check(architecture.renamed(state), architecture.model_name)
            return architecture
    if fitting:
        names = " or ".join(architecture.model_name for architecture in fitting)
        raise UserError(
            f"--model_name={model_name}: the state dictionary is that of"
            f" {fitting[0].name}, which converts to {names}"
        )
    known = ", ".join(architecture.name for architecture in ARCHITECTURES)
    raise UserError(
        "the state dictionary is that of no net that can be converted: it has"
        f" {first_few(list(state))}; expected one of {known}"
    )


def without_prefix(state: State) -> State:
    """The state dictionary of the net alone, if it is a module of another.

    Lightning and other wrappers prefix each name with the net's, as in
    `model.conv1.weight`. Small tensors next to the net, such as weights of a loss or
    counts of metrics, are omitted and reported.

    Raises:
      UserError: several modules are nets, or there are other weights next to the net.
    """
    prefixes = {
        name.removesuffix(f"{architecture.markers[0]}.weight")
        for architecture in ARCHITECTURES
        for name in state
        if name.endswith(f".{architecture.markers[0]}.weight")
        or name == f"{architecture.markers[0]}.weight"
    }
    found = sorted(
        prefix
        for prefix in prefixes
        if any(architecture.is_in(state, prefix) for architecture in ARCHITECTURES)
    )
    if len(found) > 1:
        raise UserError(
            f"the state dictionary holds several nets, {first_few(found)}: save only"
            " one of them"
        )
    if not found or not found[0]:
        return state
    (prefix,) = found
    kept = {n.removeprefix(prefix): v for n, v in state.items() if n.startswith(prefix)}
    beside = [name for name in state if not name.startswith(prefix)]
    if heavy := [n for n in beside if state[n].ndim > 1 and state[n].dtype.kind == "f"]:
        raise UserError(
            f"the net is the module {prefix.rstrip('.')}, but there are weights next to"
            f" it, {first_few(heavy)}: save the net with its classifier as one module"
        )
    also = f", omitting {first_few(beside)}" if beside else ""
    logging.info("Using the module %s%s.", prefix.rstrip("."), also)
    return kept
