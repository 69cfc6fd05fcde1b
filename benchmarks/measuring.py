"""Contestants in turn, each in a process of its own, and the table of what they did.

Nothing here imports TensorFlow: each contestant's process starts with this file.
"""

import concurrent.futures
import contextlib
import dataclasses
import functools
import multiprocessing
import operator
import pathlib
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from common.tables import text_table
from config import app, flags
from config.options import Options, option

# Called again and again, each time for another figure.
Measure = Callable[[], float]


class MissingPeerError(Exception):
    """A peer that is not installed; the message says how to install it."""


@dataclasses.dataclass(frozen=True)
class Scale:
    """What the work is, and how large.

    Attributes:
      model_name: the net.
      precision: what it computes with, a value of `--precision`.
      image_size: side of its square images, in pixels.
      batch_size: images a step.
      num_images: photos of the training split; a fifth as many for validation.
      photo_size: width and height of the photos, in pixels.
      large_photo_size: the same for those as large as a camera's.
      rounds: times that each contestant has its turn; the median counts.
      round_secs: how long a turn lasts where it may be cut short.
      isolated: a process for each contestant; else all run in this one.
    """

    model_name: str = "inception_v3"
    precision: str = "float32"
    image_size: int = 299
    batch_size: int = 16
    num_images: int = 160
    photo_size: tuple[int, int] = (500, 375)
    large_photo_size: tuple[int, int] = (4000, 3000)
    rounds: int = 3
    round_secs: float = 8.0
    isolated: bool = True


@dataclasses.dataclass(frozen=True)
class Contestant:
    """One of those compared.

    Attributes:
      name: for the table.
      prepare: builds and warms up all it needs, and returns what measures it. Both run
        in the contestant's process, so `prepare` must be picklable.
    """

    name: str
    prepare: Callable[[], Measure]


def race(
    contestants: Sequence[Contestant], scale: Scale
) -> dict[str, list[float] | str]:
    """Measures all in turn, round after round.

    Args:
      contestants: in the order of their turns.
      scale: rounds and isolation.

    Returns:
      name → its figures, or why it could not run.
    """
    figures: dict[str, list[float] | str] = {}
    measures: dict[str, Measure] = {}
    with contextlib.ExitStack() as stack:
        for contestant in contestants:
            _say(f"preparing {contestant.name}")
            try:
                measure = _prepare(contestant, scale, stack)
            except MissingPeerError as error:
                figures[contestant.name] = str(error)
            else:
                figures[contestant.name] = []
                measures[contestant.name] = measure
        for number in range(scale.rounds):
            for name, measure in measures.items():
                figure = measure()
                _say(f"round {number + 1}: {name} {figure:.4g}")
                figures[name].append(figure)  # type: ignore[union-attr]
    return figures


def _prepare(
    contestant: Contestant, scale: Scale, stack: contextlib.ExitStack
) -> Measure:
    if not scale.isolated:
        return contestant.prepare()
    process = stack.enter_context(_process())
    process.submit(_prepare_here, contestant).result()
    return lambda: process.submit(_measure_here).result()


_prepared: list[Measure] = []


def _prepare_here(contestant: Contestant) -> None:
    _prepared.append(contestant.prepare())


def _measure_here() -> float:
    return _prepared[0]()


def _process() -> concurrent.futures.ProcessPoolExecutor:
    context = multiprocessing.get_context("spawn")
    return concurrent.futures.ProcessPoolExecutor(1, mp_context=context)


def in_fresh_process(function: Callable[[], Any], scale: Scale) -> Any:
    """What the function returns in a process that has done nothing else."""
    if not scale.isolated:
        return function()
    with _process() as process:
        return process.submit(function).result()


def rate(step: Callable[[], int], secs: float) -> float:
    """Images a second.

    Args:
      step: does some work and returns how many images it was.
      secs: how long to go on.
    """
    images = 0
    started_at = time.monotonic()
    while (elapsed := time.monotonic() - started_at) < secs or not images:
        images += step()
    return images / elapsed


def table(
    title: str,
    figures: dict[str, list[float] | str],
    unit: str,
    *,
    more_is_better: bool = True,
    ours: str = "ours",
) -> str:
    """The medians, and how many times better `ours` is than each of the others.

    That is the median over the rounds of the ratio in each: the two of a round come
    right after each other, while the machine's speed drifts from round to round.

    Args:
      title: what was measured.
      figures: the result of `race`.
      unit: of the figures.
      more_is_better: of two figures the greater, as for images a second.
      ours: whom to compare with the others.
    """
    rows = []
    for name, values in figures.items():
        if isinstance(values, str):
            rows.append((name, "", "", values))
            continue
        ratio = statistics.median(map(operator.truediv, figures[ours], values))
        times = f"{ratio if more_is_better else 1 / ratio:.2f}×" if name != ours else ""
        spread = f"{min(values):.4g} to {max(values):.4g}" if len(values) > 1 else ""
        rows.append((name, f"{statistics.median(values):.4g}", times, spread))
    return text_table(("", unit, f"{ours} is better by", "range"), rows, title=title)


@dataclasses.dataclass(frozen=True)
class RoundOptions(Options):
    """Rounds."""

    rounds: int = option(Scale.rounds, "Turns of each contestant.", minimum=1)


@dataclasses.dataclass(frozen=True)
class PrecisionOptions(Options):
    """Precision."""

    precision: str = option(
        Scale.precision,
        "Compute dtype of the nets: float32 or mixed_bfloat16.",
        choices=(Scale.precision, "mixed_bfloat16"),
    )


def run(
    benchmark: Callable[[pathlib.Path, Scale], Iterator[str]],
    *,
    has_precision: bool = False,
) -> None:
    """Runs a benchmark as a command and prints its tables as they come.

    Args:
      benchmark: called with an empty folder, removed at the end, and the scale.
      has_precision: whether there is a flag for it.
    """
    if has_precision:
        flags.define(PrecisionOptions)
    flags.define(RoundOptions)
    app.run(functools.partial(_run, benchmark, has_precision))


def _run(
    benchmark: Callable[[pathlib.Path, Scale], Iterator[str]], has_precision: bool
) -> None:
    scale = Scale(rounds=flags.read(RoundOptions).rounds)
    if has_precision:
        precision = flags.read(PrecisionOptions).precision
        scale = dataclasses.replace(scale, precision=precision)
    with tempfile.TemporaryDirectory() as folder:
        for text in benchmark(pathlib.Path(folder), scale):
            print(f"\n{text}\n", flush=True)


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
