"""The report of a probe: a table, a verdict, commands, files."""

import dataclasses
import json
import math
import os
import shlex
import textwrap
from collections.abc import Sequence
from typing import Any

from common import storage, tables
from common.atomic_files import atomic_write
from common.untrusted_text import CsvWriter
from config.probe_config import ProbeConfig
from datasets.dataset import Dataset
from engine.probing import opening, probe_figure, probe_scores
from engine.probing.depths import Depth
from engine.probing.probe_scores import Rise, Score, choose
from engine.probing.trials import Trial
from nets import nets_factory
from nets.network import Network
from nets.new_head import NewHead

HEADERS = ("depth", "width", "accuracy", "train", "held out", "opens", "flops")
_OPTIONAL = ("width", "flops")  # columns left out first where the terminal is narrow
_COLUMNS = 80


@dataclasses.dataclass(frozen=True)
class Result:
    """Everything that a probe found.

    Attributes:
      scores: by depth, from the image on.
      rise: the learning curve of the chosen depth.
      network: the net.
      split: the split that the classifiers were fitted to.
      held_out: the split that they were evaluated on, or None.
      checkpoint_path: where the weights came from.
      trials: results of short training, the best first; empty without --trial_secs.
    """

    scores: list[Score]
    rise: Rise
    network: Network
    split: Dataset
    held_out: Dataset | None
    checkpoint_path: str
    trials: Sequence[Trial] = ()

    @property
    def to_open(self) -> Depth:
        """The depth after which to train, by the trials or else by the scores."""
        if self.trials:
            return self.trials[0].depth
        chosen = choose(self.scores)
        is_last = chosen is self.scores[-1] and len(self.scores) > 1
        return (self.scores[-2] if is_last else chosen).depth

    @property
    def better_end(self) -> Depth | None:
        """An earlier depth that beats the last one, if the net can end there."""
        depth = choose(self.scores).depth
        beats_last = not probe_scores.is_similar(self.scores)
        return depth if beats_last and depth.can_be_final else None


def text(result: Result, config: ProbeConfig) -> str:
    """Table, verdict and commands, for a terminal with 80 columns."""
    table = tables.printed(
        *(HEADERS, table_rows(result.scores)), title=_title(result), optional=_OPTIONAL
    )
    lines = [table, ""]
    if any(score.is_screened_out for score in result.scores):
        lines.append(
            "~ by ridge regression only: other depths promised more, or as much"
        )
        lines.append("with less to train")
    lines.append(
        "train: accuracy on the images used for fitting; opens: parameters after the"
    )
    lines.append("depth; flops: share of the net's arithmetic after it")
    lines.append("")
    if curve := _learning_curve(result):
        lines += textwrap.wrap(curve, _COLUMNS, subsequent_indent="  ")
    for sentence in probe_scores.verdict(result.scores, result.rise):
        lines += textwrap.wrap(sentence, _COLUMNS, subsequent_indent="  ")
    if result.trials:
        lines += ["", _trials_table(result)]
    for comment, command in commands(result, config):
        lines += ["", f"# {comment}", command]
    return "\n".join(lines)


def _trials_table(result: Result) -> str:
    """The trials, next to the solved head."""
    head = result.scores[-1].held_out_accuracy
    rows = [["the head, solved", "" if head is None else f"{head:.3f}", "", "", ""]]
    rows += [
        [
            f"after {trial.depth.end_point}",
            *(f"{trial.accuracy:.3f}", f"{trial.loss:.3f}"),
            *(f"{trial.epochs:.1f}", f"{trial.secs:.0f}"),
        ]
        for trial in result.trials
    ]
    split = result.held_out.split_name if result.held_out else ""
    title = f"after short training, the best evaluation on {split}"
    return tables.printed(
        ("opened", "accuracy", "loss", "epochs", "seconds"), rows, title=title
    )


def _learning_curve(result: Result) -> str:
    """Accuracy at the chosen depth by number of images; "" if unknown."""
    rise = result.rise
    pairs = zip(rise.accuracies, rise.num_images, strict=True)
    points = ", ".join(f"{accuracy:.3f} on {number:,}" for accuracy, number in pairs)
    chosen = choose(result.scores).depth.end_point
    return points and f"learning curve of {chosen}: {points} images"


def _title(result: Result) -> str:
    split = result.split
    return (
        f"probe of {result.network.model_name} on {split.name}/{split.split_name}:"
        f" {split.num_examples:,} images, {result.network.num_classes} classes"
    )


def table_rows(scores: list[Score]) -> list[list[str]]:
    """A row per depth, the chosen one starred; see `HEADERS`."""
    chosen = choose(scores)
    return [
        [
            f"{score.depth.end_point}{' *' if score is chosen else ''}",
            str(score.depth.num_features),
            f"{'~' if score.is_screened_out else ''}{score.accuracy:.3f}"
            f" ± {score.standard_error:.3f}",
            "" if score.train_accuracy is None else f"{score.train_accuracy:.3f}",
            "" if score.held_out_accuracy is None else f"{score.held_out_accuracy:.3f}",
            f"{score.num_opened / 1e6:.2f}M",
            f"{score.depth.flops_after:.0%}",
        ]
        for score in scores
    ]


def commands(result: Result, config: ProbeConfig) -> list[tuple[str, str]]:
    """Training commands, each with what it trains."""
    head = result.network.head
    common, own = _common_flags(result, config), _head_flags(head)
    start = [
        f"--checkpoint_path={shlex.quote(config.probe.checkpoint_path or '')}",
        "--checkpoint_exclude_scopes=head --trainable_scopes=head",
    ]
    solved = "--head_solver=logistic --feature_cache=memory"
    # Hidden layers cannot be solved.
    steps = "--max_number_of_epochs=20 --feature_cache=memory"
    opened_after = result.to_open
    scopes = opening.scopes(opened_after, result.network)
    found = [
        (
            "the head" if head.hidden_units else "the head, solved",
            [
                *(*common, *own, *start),
                f"{steps if head.hidden_units else solved} --train_dir=runs/head",
            ],
        ),
        (
            f"then what comes after {opened_after.end_point}",
            [
                *(*common, *own, "--checkpoint_path=runs/head"),
                shlex.quote(f"--trainable_scopes={','.join(scopes)}"),
                *(" ".join(opening.ARGUMENTS[i : i + 2]) for i in (0, 2, 4)),
                "--feature_cache=memory --train_dir=runs/opened",
            ],
        ),
    ]
    if result.better_end:
        end = result.better_end.end_point
        short = [*common, f"--final_endpoint={end}", *start]
        short.append(f"{solved} --train_dir=runs/cut")
        found.append((f"or the net up to {end}, with a head there, solved", short))
    return [(comment, " \\\n    ".join(words)) for comment, words in found]


def _common_flags(result: Result, config: ProbeConfig) -> list[str]:
    data, network = config.data, result.network
    words = [
        "python train_image_classifier.py",
        f"--dataset_name={shlex.quote(data.dataset_name)}",
        f"--dataset_dir={shlex.quote(data.dataset_dir or '')}",
        f"--model_name={network.model_name}",
        f"--train_image_size={network.image_size}",
    ]
    entry = nets_factory.get_entry(network.model_name)
    if data.preprocessing_name not in (None, entry.preprocessing):
        words.append(f"--preprocessing_name={data.preprocessing_name}")
    if data.labels_offset:
        words.append(f"--labels_offset={data.labels_offset}")
    if data.use_grayscale:
        words.append("--use_grayscale")
    if result.held_out:
        words.append(f"--eval_split_name={result.held_out.split_name}")
    return words


def _head_flags(head: NewHead) -> list[str]:
    """The flags of a net with a new head."""
    sizes = ",".join(map(str, head.hidden_units))
    flags = {"final_endpoint": head.final_endpoint, "head_hidden_units": sizes}
    return [f"--{name}={value}" for name, value in flags.items() if value]


def write(result: Result, config: ProbeConfig) -> None:
    """Writes probe.json, probe.csv and probe.svg into `--output_dir`."""
    folder = config.probe.output_dir or ""
    storage.make_folders(folder)
    with atomic_write(os.path.join(folder, "probe.json"), "w") as file:
        json.dump(as_json(result, config), file, indent=2, ensure_ascii=False)
        file.write("\n")
    entries = [_entry(score) for score in result.scores]
    with atomic_write(os.path.join(folder, "probe.csv"), "w") as file:
        writer = CsvWriter(file)
        writer.write_row(entries[0])
        writer.write_rows([tuple(entry.values()) for entry in entries])
    with atomic_write(os.path.join(folder, "probe.svg")) as file:
        file.write(probe_figure.draw(result.scores, _title(result)))


def as_json(result: Result, config: ProbeConfig) -> dict[str, Any]:
    """The contents of probe.json; accuracies and shares are in [0, 1]."""
    split = result.split
    return {
        "model_name": result.network.model_name,
        "image_size": result.network.image_size,
        "checkpoint": storage.absolute(result.checkpoint_path),
        "dataset": split.name,
        "split": split.split_name,
        "held_out_split": result.held_out.split_name if result.held_out else None,
        "num_images": split.num_examples,
        "num_classes": result.network.num_classes,
        "classifier": config.probe.probe_classifier,
        "depths": [_entry(score) for score in result.scores],
        "chosen": choose(result.scores).depth.end_point,
        "better_end": result.better_end and result.better_end.end_point,
        "is_similar": probe_scores.is_similar(result.scores),
        "still_rises": result.rise.still_rises,
        "trials": [_trial_entry(trial) for trial in result.trials],
        "learning_curve": dict(
            zip(result.rise.num_images, result.rise.accuracies, strict=True)
        ),
        "trainable_scopes": {
            score.depth.end_point: opening.scopes(score.depth, result.network)
            for score in result.scores
        },
        "commands": [command for _, command in commands(result, config)],
    }


def _entry(score: Score) -> dict[str, Any]:
    """A depth's row of probe.csv, and its object in probe.json."""
    return {
        "end_point": score.depth.end_point,
        "num_features": score.depth.num_features,
        "accuracy": score.accuracy,
        "standard_error": score.standard_error,
        "train_accuracy": score.train_accuracy,
        "held_out_accuracy": score.held_out_accuracy,
        "num_opened": score.num_opened,
        "flops_after": score.depth.flops_after,
    }


def _trial_entry(trial: Trial) -> dict[str, Any]:
    return {
        "end_point": trial.depth.end_point,
        "accuracy": trial.accuracy,
        "loss": trial.loss if math.isfinite(trial.loss) else None,
        "epochs": trial.epochs,
        "secs": trial.secs,
    }
