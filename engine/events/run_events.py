"""What a training run's event files hold: its curves and its restore plan."""

import dataclasses
import logging
import os

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.util import tensor_util

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


# What is shown, by its tags in training and in validation, the first that there is:
# slim and older releases of this project wrote no `loss` while training.
_TAGS = {
    "loss": (("loss", "total_loss"), ("loss",)),
    "accuracy": (("accuracy",), ("accuracy",)),
    "learning rate": (("learning_rate",), ()),
}


def read(checkpoint_path: str) -> RunEvents:
    """Reads the events of the run that wrote a checkpoint.

    Args:
      checkpoint_path: in the run's folder, or in a folder within, as the best is.
    """
    folder = os.path.dirname(storage.absolute(checkpoint_path))
    run_dir = folder if _has_events(folder) else os.path.dirname(folder)
    sources = {"training": _load(run_dir)} if _has_events(run_dir) else {}
    for folder in sorted(storage.names_in(run_dir)):
        path = os.path.join(run_dir, folder)
        if folder.startswith(_VALIDATION) and _has_events(path):
            sources[folder.removeprefix(_VALIDATION)] = _load(path)
    charts: dict[str, list[Curve]] = {}
    for title, (in_training, in_validation) in _TAGS.items():
        for name, events in sources.items():
            tags = in_training if name == "training" else in_validation
            curves = [_curve(name, events, tag) for tag in tags]
            charts.setdefault(title, []).extend([c for c in curves if c.steps][:1])
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


def _curve(name: str, events: EventAccumulator, tag: str) -> Curve:
    """The values of a tag, whether TensorFlow 2 or TensorFlow 1 wrote them."""
    steps: tuple[int, ...] = ()
    values: tuple[float, ...] = ()
    if tag in events.Tags()["tensors"]:
        entries = events.Tensors(tag)
        steps = tuple(entry.step for entry in entries)
        arrays = [tensor_util.make_ndarray(entry.tensor_proto) for entry in entries]
        values = tuple(float(array) for array in arrays)
    elif tag in events.Tags()["scalars"]:
        steps = tuple(entry.step for entry in events.Scalars(tag))
        values = tuple(entry.value for entry in events.Scalars(tag))
    return Curve(name, steps, values)


def _text(events: EventAccumulator, tag: str) -> str | None:
    if tag not in events.Tags()["tensors"]:
        return None
    last = events.Tensors(tag)[-1]
    return tensor_util.make_ndarray(last.tensor_proto).item().decode()
