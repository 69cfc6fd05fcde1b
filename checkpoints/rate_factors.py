"""Factors by which the learning rates of variables differ from the run's."""

import math
from collections.abc import Sequence

from checkpoints import scopes
from errors import UserError

_FLAG = "learning_rate_multipliers"
_SMALLEST = 1e-30  # a rate of up to 1e-8 times this is still above 0 in float32
_FORM = "expected scope=factor pairs, as in InceptionV3/Mixed_7=0.3,head=1,.*=0.1"


def parse(text: str | None) -> list[tuple[str, float]]:
    """Scopes and factors of a value of `--learning_rate_multipliers`, in order.

    Raises:
      UserError: an entry is not a pair, or its factor is not a finite positive number
        that float32 can hold.
    """
    return [_parse_pair(pair) for pair in scopes.parse_scopes(text, flag=_FLAG)]


def _parse_pair(pair: str) -> tuple[str, float]:
    scope, separator, number = pair.rpartition("=")
    try:
        factor = float(number)
    except ValueError:
        factor = math.nan
    if not (separator and scope.strip()) or not math.isfinite(factor) or factor < 0:
        raise UserError(f"--{_FLAG}: {pair}: {_FORM}")
    if factor < _SMALLEST:
        raise UserError(
            f"--{_FLAG}: {pair} would freeze what it matches: give a factor above 0, or"
            " use --trainable_scopes to freeze layers"
        )
    return scope.strip(), factor


def by_scope(
    multipliers: Sequence[tuple[str, float]],
    variable_names: Sequence[str],
    trained_names: Sequence[str],
    head_scopes: Sequence[str],
) -> dict[str, float]:
    """The factors of `--learning_rate_multipliers`: the first scope that matches wins.

    Args:
      multipliers: from `parse`.
      variable_names: all of the net.
      trained_names: those that the optimizer changes.
      head_scopes: what the scope `head` stands for.

    Returns:
      Factors by name of those that a scope matches.

    Raises:
      UserError: a scope matches nothing that is trained, or only what earlier ones
        match already.
    """
    factors: dict[str, float] = {}
    for scope, factor in multipliers:
        matched = scopes.select(
            (scope,), variable_names, flag=_FLAG, head_scopes=head_scopes
        )
        trained = [name for name in trained_names if name in set(matched)]
        if not trained:
            near = scopes.nearest_scopes(scope, trained_names)
            near = near or list(dict.fromkeys(map(scopes.block_of, trained_names)))[:3]
            raise UserError(
                f"--{_FLAG}: nothing that {scope} matches is trained; the nearest"
                f" scopes that are: {', '.join(near)}"
            )
        left = [name for name in trained if name not in factors]
        if not left:
            raise UserError(
                f"--{_FLAG}: {scope} comes too late: earlier scopes match everything it"
                " matches, and the first match wins; move it to the front"
            )
        factors |= dict.fromkeys(left, factor)
    return factors


def by_depth(
    decay: float,
    variable_names: Sequence[str],
    trained_names: Sequence[str],
    head_scopes: Sequence[str],
) -> dict[str, float]:
    """The factors of `--layer_decay`: decay^(L - 1 - i) in block i of L.

    Blocks are scopes of the second level, or of the first in a net whose variables
    share none (NASNet's cells), in the order of the plan. The head, whose factor is 1,
    is the last one, auxiliary head included. As in BEiT (Bao et al.,
    https://arxiv.org/abs/2106.08254, fine-tuning) and in timm.

    Args:
      decay: above 0, up to 1.
      variable_names: all of the net, in order of creation.
      trained_names: those that the optimizer changes.
      head_scopes: the net's logits and auxiliary scopes.

    Returns:
      Factors of all that are trained, by name.

    Raises:
      UserError: nothing but the head is trained, or a rate would be 0 in float32.
    """

    def is_head(name: str) -> bool:
        return any(scopes.matches(head, name) for head in head_scopes)

    has_root = len({name.partition("/")[0] for name in variable_names}) == 1

    def block_of(name: str) -> str:
        return scopes.block_of(name) if has_root else name.partition("/")[0]

    if all(map(is_head, trained_names)):
        raise UserError(
            f"--layer_decay={decay:g} lowers the rate of what comes before the head,"
            " but only the head is trained: leave it out, or train more with"
            " --trainable_scopes"
        )
    body = [block_of(name) for name in variable_names if not is_head(name)]
    blocks = list(dict.fromkeys(body))
    to_head = {block: len(blocks) - i for i, block in enumerate(blocks)}
    trained = {block_of(name) for name in trained_names}
    first = next(block for block in blocks if block in trained)
    if decay ** to_head[first] < _SMALLEST:
        raise UserError(
            f"--layer_decay={decay:g} would freeze {first}, {to_head[first]} blocks"
            " before the end: 0.65 to 0.85 is usual; --trainable_scopes freezes layers"
        )
    return {
        name: 1.0 if is_head(name) else decay ** to_head[block_of(name)]
        for name in trained_names
    }
