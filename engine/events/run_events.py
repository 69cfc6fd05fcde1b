"""What a training run's event files hold: its curves and its restore plan."""

import dataclasses
import logging
import os

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.util import tensor_util

from checkpoints import run_info
from common import storage
from engine.events import event_files

# Its messages about the files it reads are for its developers.
logging.getLogger("tensorboard").setLevel(logging.ERROR)

_ALL = {"scalars": 0, "tensors": 0}  # keep every value, not a sample
_VALIDATION = "eval_"  # prefix of the folders of validation during training


@dataclasses.dataclass(frozen=True)
class Curve:
    """One figure over the steps of a run.

    Attributes:
      name: what it was measured on: "training", or a split.
      steps: in order.
      values: at these steps.
    """

    name: str
    steps: tuple[int, ...]
    values: tuple[float, ...]


@dataclasses.dataclass(frozen=True)
class RunEvents:
    """The curves and the plan of a run.

    Attributes:
      charts: curves by what they show, without empty charts.
      plan: what was restored, trained and frozen, as Markdown; None if no event says.
    """

    charts: dict[str, list[Curve]]
    plan: str | None

    @property
    def is_single_step(self) -> bool:
        """Whether the run took one step, as a head that is solved does."""
        steps = {s for curves in self.charts.values() for c in curves for s in c.steps}
        return len(steps) == 1


# TensorBoard opens the first groups of tags, in alphabetical order.
_FIRST_GROUP = "curves"
_CURVES = {"loss": "loss", "accuracy": "accuracy", "learning_rate": "learning rate"}


def tag_of(scalar: str) -> str:
    """The tag of a scalar: the curves that one looks at first share the first group."""
    return f"{_FIRST_GROUP}/{scalar}" if scalar in _CURVES else scalar


def read(checkpoint_path: str) -> RunEvents:
    """Reads the events of the run that wrote a checkpoint.

    Args:
      checkpoint_path: in the run's folder, in a folder within, as the best is, or a
        copy whose run.json says where it is from.

    Raises:
      UserError: run.json is damaged.
    """
    folder = os.path.dirname(storage.absolute(checkpoint_path))
    run = run_info.read(folder)
    if run and run.copied_from:
        origin = os.path.normpath(os.path.join(folder, run.copied_from))
        folder = origin if storage.is_folder(origin) else folder
    run_dir = folder if _has_events(folder) else os.path.dirname(folder)
    sources = {"training": _load(run_dir)} if _has_events(run_dir) else {}
    for folder in sorted(storage.names_in(run_dir)):
        path = os.path.join(run_dir, folder)
        if folder.startswith(_VALIDATION) and _has_events(path):
            sources[folder.removeprefix(_VALIDATION)] = _load(path)
    charts: dict[str, list[Curve]] = {}
    for scalar, title in _CURVES.items():
        curves = [_curve(name, events, scalar) for name, events in sources.items()]
        charts[title] = [curve for curve in curves if curve.steps]
    training = sources.get("training")
    charts = {title: curves for title, curves in charts.items() if curves}
    return RunEvents(charts, _text(training, "plan") if training else None)


def seconds_in_all(run_dir: str) -> float | None:
    """How long a run took, without the pauses between its commands; None if unknown."""
    total = 0.0
    for path in event_files.find(run_dir):
        events = _load(path)
        times = [
            e.wall_time for tag in events.Tags()["tensors"] for e in events.Tensors(tag)
        ]
        if times:
            total += max(times) - events.FirstEventTimestamp()
    return total or None


def _has_events(folder: str) -> bool:
    return bool(event_files.find(folder))


def _load(folder: str) -> EventAccumulator:
    events = EventAccumulator(folder, size_guidance=_ALL)
    events.Reload()
    return events


def _curve(name: str, events: EventAccumulator, scalar: str) -> Curve:
    """A curve, its beginning perhaps written by slim or an older release.

    They had no group of curves, and the first ones no `loss` while training.
    """
    by_step = _values(events, scalar) | _values(events, tag_of(scalar))
    if not by_step and scalar == "loss":
        by_step = _values(events, "total_loss")
    steps = sorted(by_step)
    return Curve(name, tuple(steps), tuple(by_step[step] for step in steps))


def _values(events: EventAccumulator, tag: str) -> dict[int, float]:
    """The values of a tag by step, whether TensorFlow 2 or TensorFlow 1 wrote them."""
    tags = events.Tags()
    if tag in tags["tensors"]:
        arrays = {
            entry.step: tensor_util.make_ndarray(entry.tensor_proto)
            for entry in events.Tensors(tag)
        }
        return {step: float(array) for step, array in arrays.items()}
    entries = events.Scalars(tag) if tag in tags["scalars"] else []
    return {entry.step: entry.value for entry in entries}


def _text(events: EventAccumulator, tag: str) -> str | None:
    if tag not in events.Tags()["tensors"]:
        return None
    last = events.Tensors(tag)[-1]
    return tensor_util.make_ndarray(last.tensor_proto).item().decode()
