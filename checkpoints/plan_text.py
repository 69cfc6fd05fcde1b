"""The plan as people read it: a table by scope, for the terminal and TensorBoard."""

import math
import sys
from collections import Counter
from collections.abc import Mapping, Sequence

from checkpoints.plan import Plan, PlannedVariable
from checkpoints.scopes import block_of
from common import tables, terminal
from common.untrusted_text import printable

HEADERS = ("scope", "variables", "parameters", "weights", "training", "batch norm")


def headers(plan: Plan) -> tuple[str, ...]:
    """`HEADERS`, and one for the rates if they differ by variable."""
    return (*HEADERS, "rate") if plan.rate_factors else HEADERS


def table_rows(plan: Plan) -> list[list[str]]:
    """The plan by scope of the second level, and a row of totals; see `headers`."""
    blocks: dict[str, list[PlannedVariable]] = {}
    for variable in plan.variables:
        blocks.setdefault(block_of(variable.name), []).append(variable)
    updating = Counter(map(block_of, plan.updating_batch_norms))
    frozen = Counter(map(block_of, plan.frozen_batch_norms))
    rows = [
        _row(block, variables, updating[block], frozen[block])
        for block, variables in blocks.items()
    ]
    total = _row("total", plan.variables, sum(updating.values()), sum(frozen.values()))
    rows.append(total)
    if plan.rate_factors:
        for row, variables in zip(
            rows, [*blocks.values(), plan.variables], strict=True
        ):
            row.append(_rates(variables))
    return rows


def _rates(variables: Sequence[PlannedVariable]) -> str:
    """The factors of the trained variables among them, such as "× 0.1–1"."""
    factors = [v.rate_factor for v in variables if v.trained]
    if not factors:
        return ""
    low, high = f"{min(factors):.3g}", f"{max(factors):.3g}"
    return f"× {low}" if low == high else f"× {low}–{high}"


def as_text(plan: Plan) -> str:
    """The plan as printed before the first step."""
    optional = "variables", "parameters"
    rows, title = table_rows(plan), _title(plan)
    lines = [tables.printed(headers(plan), rows, title=title, optional=optional)]
    if plan.unused:
        known = {v.name for v in plan.variables} | set(plan.unused)
        others = [n for n in plan.unused if n.rpartition("/")[0] not in known]
        by_block = Counter(map(block_of, others))
        unused = ", ".join(
            f"{printable(block)} {n}" for block, n in by_block.most_common(8)
        )
        parts = [f"variables: {len(others)} ({unused})"] if others else []
        if num_slots := len(plan.unused) - len(others):
            parts.append(f"optimizer slots and moving averages: {num_slots}")
        line = f"left in the checkpoint unused: {'; '.join(parts)}"
        lines.append(terminal.wrapped(line, sys.stdout, indent=2))
    return "\n".join(lines)


def as_markdown(plan: Plan) -> str:
    """The plan for TensorBoard's text page."""
    return f"{_title(plan)}\n\n{tables.markdown_table(headers(plan), table_rows(plan))}"


def scopes_as_text(variable_shapes: Mapping[str, tuple[int, ...]]) -> str:
    """The scopes of the second level of a net, with variables and parameters."""
    blocks: dict[str, list[tuple[int, ...]]] = {}
    for name, shape in variable_shapes.items():
        blocks.setdefault(block_of(name), []).append(shape)
    rows = [
        [block, f"{len(shapes):,}", f"{sum(map(math.prod, shapes)):,}"]
        for block, shapes in blocks.items()
    ]
    return tables.printed(("scope", "variables", "parameters"), rows)


def _title(plan: Plan) -> str:
    source = plan.checkpoint_path or "no checkpoint, all weights are random"
    return f"plan ({source})"


def _row(
    block: str, variables: Sequence[PlannedVariable], updating: int, frozen: int
) -> list[str]:
    new = sum(not v.restored for v in variables)
    trained = sum(v.trained for v in variables)
    still = sum(v.trainable and not v.trained for v in variables)
    return [
        block,
        f"{len(variables):,}",
        f"{sum(v.size for v in variables):,}",
        _either("restored", len(variables) - new, "new", new),
        _either("trained", trained, "frozen", still),
        _either("updating", updating, "frozen", frozen),
    ]


def _either(first: str, first_count: int, second: str, second_count: int) -> str:
    """Which of two states a group is in, with counts if it is in both."""
    if first_count and second_count:
        return f"{first_count} {first}, {second_count} {second}"
    return first if first_count else second if second_count else ""
