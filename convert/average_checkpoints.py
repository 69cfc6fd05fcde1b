r"""Averages checkpoints of one net that were fine-tuned from one start.

    python convert/average_checkpoints.py --checkpoint_paths=runs/a,runs/b \
        --dataset_dir=data/flowers5 --output_dir=runs/soup --method=greedy

writes one checkpoint with `model.json`, as large and as fast as each of them. The
statistics of batch norms that trained are recomputed on the training split (P. Izmailov
et al.: "Averaging weights leads to wider optima and better generalization", 2018).
"""

import script_start  # noqa: F401  (before all that takes time)

import dataclasses
from collections.abc import Sequence

import numpy as np
from absl import logging

import common.quiet_tensorflow  # noqa: F401  (before others load it)
from common import atomic_files, tables
from config import app, flags
from config.options import Options, option, split_list
from config.predict_config import NetOptions
from convert.weights import averaging, checkpoint_output, members, soups
from convert.weights.averaging import Averages, Judge
from convert.weights.members import Member
from engine import inputs
from engine.batch_norm import recomputation
from engine.batch_norm.split_statistics import SplitStatistics
from engine.evaluation.evaluation import make_evaluator
from engine.restored import checkpoint_info, classifier
from engine.step.moving_average import SUFFIX
from errors import UserError
from nets.network import Network

_EVAL_SPLIT = "validation"
_ALPHAS = "0,0.1,0.2,0.3,0.4,0.5,0.6,0.7,0.8,0.9,1"


@dataclasses.dataclass(frozen=True)
class AverageOptions(Options):
    """Averaging."""

    checkpoint_paths: str = option(
        None,
        "Comma-separated checkpoints, their prefixes, or folders (their newest"
        " checkpoint).",
        required=True,
    )
    output_dir: str = option(
        None, "Folder to write, which must not exist.", required=True
    )
    method: str = option(
        "mean",
        "mean, of all; wise_ft: the best point on the line from the first checkpoint to"
        " the second; or greedy: from the most accurate on, each checkpoint that does"
        " not lower the mean's accuracy.",
        choices=("mean", "wise_ft", "greedy"),
    )
    alphas: str = option(
        _ALPHAS,
        "Shares of the second checkpoint that --method=wise_ft tries.",
    )
    eval_split_name: str = option(
        _EVAL_SPLIT, "Split whose accuracy decides, for wise_ft and greedy."
    )
    dataset_split_name: str = option(
        "train", "Split over which batch-norm statistics are recomputed."
    )
    moving_average_decay: float | None = option(
        None,
        "Any value but 0 averages the moving averages of the variables, saved as"
        " <variable>/ExponentialMovingAverage.",
    )
    batch_size: int = option(
        32, "Batch size; as in training, for batch-norm statistics.", minimum=1
    )
    num_images: int = option(
        recomputation.IMAGES,
        "Number of images for batch-norm statistics, or all of a smaller split.",
        minimum=1,
    )


@dataclasses.dataclass(frozen=True)
class AverageConfig:
    """All options of `average_checkpoints`."""

    average: AverageOptions
    net: NetOptions

    def __post_init__(self) -> None:
        """Checks what depends on several options."""
        options = self.average
        averaging.parse_alphas(options.alphas)
        num_paths = len(split_list(options.checkpoint_paths))
        if options.method == "wise_ft" and num_paths != 2:
            raise UserError(
                "--method=wise_ft takes two --checkpoint_paths, the start and what was"
                f" fine-tuned from it, and got {num_paths}: greedy and mean take more"
            )
        if options.method != "wise_ft" and options.alphas != _ALPHAS:
            raise UserError(
                f"--alphas applies only to --method=wise_ft, not to {options.method}:"
                " leave one of them out"
            )
        if options.method == "mean" and options.eval_split_name != _EVAL_SPLIT:
            raise UserError(
                f"--eval_split_name={options.eval_split_name} applies only to"
                " --method=wise_ft and greedy, not to mean: leave one of them out"
            )
        if options.method != "mean" and not self.net.dataset_dir:
            raise UserError(
                f"--method={options.method} chooses by accuracy on a validation split:"
                " name the folder with the TFRecords by --dataset_dir"
            )


@atomic_files.explained_errors()
def average(config: AverageConfig) -> str:
    """Writes the average of checkpoints; returns its prefix.

    Raises:
      UserError: the checkpoints are not of one net and its classes, do not fit the
        data, or the folder exists.
    """
    options = config.average
    checkpoint_output.require_new(options.output_dir)
    of_all = members.open_all(split_list(options.checkpoint_paths), config.net)
    members.warn_unless_one_start(of_all)
    network = classifier.load(
        of_all[0].path,
        config.net,
        use_moving_average=bool(options.moving_average_decay),
    ).network
    suffix = f"/{SUFFIX}" if options.moving_average_decay else ""
    averages = Averages(of_all, network, suffix)
    step = max(member.checkpoint.global_step or 0 for member in of_all)
    statistics = _statistics(averages, network, of_all, config, step)
    if options.method == "mean":
        weights = averaging.uniform(range(len(of_all)), len(of_all))
    else:
        data = checkpoint_info.data_options(of_all[0].info, config.net)
        dataset = inputs.get_dataset(data, options.eval_split_name)
        evaluator = make_evaluator(
            network, dataset, data, batch_size=options.batch_size
        )
        weights = _choose(of_all, Judge(averages, evaluator, statistics), options)
    averages.load(weights, statistics)
    for member, weight in zip(of_all, weights, strict=True):
        logging.info("%.4f of %s", weight, member.path)
    info = members.info_of_average(of_all)
    tensors = averages.tensors() | {"global_step": np.array(step, np.int64)}
    return checkpoint_output.write(options.output_dir, info, step, tensors)


def _statistics(
    averages: Averages,
    network: Network,
    of_all: Sequence[Member],
    config: AverageConfig,
    step: int,
) -> SplitStatistics | None:
    """What computes the statistics of batch norms that trained; None if none did."""
    options = config.average
    if not averages.moved_batch_norms:
        return None
    if not config.net.dataset_dir:
        raise UserError(
            f"{len(averages.moved_batch_norms)} batch norms were trained;"
            " recomputing their statistics needs training images: give --dataset_dir"
        )
    data = checkpoint_info.data_options(of_all[0].info, config.net)
    statistics = SplitStatistics(
        network,
        inputs.get_dataset(data, options.dataset_split_name),
        data,
        set(averages.moved_batch_norms),
        members.seen_images(of_all),
        batch_size=options.batch_size,
        num_images=options.num_images,
        step=step,
    )
    logging.info(
        "batch norm: statistics of %d are recomputed from %d batches of %d images of"
        " %s",
        *(len(averages.moved_batch_norms), statistics.num_batches),
        *(options.batch_size, options.dataset_split_name),
    )
    return statistics


def _choose(
    of_all: Sequence[Member], judge: Judge, options: AverageOptions
) -> list[float]:
    """The weights that the method finds; prints what it tried."""
    if options.method == "wise_ft":
        choice = soups.wise_ft(averaging.parse_alphas(options.alphas), judge)
    else:
        choice = soups.greedy([member.path for member in of_all], judge)
    print(tables.printed(choice.header, choice.rows), flush=True)
    return choice.weights


def main() -> None:
    """Averages what the flags name."""
    print(average(flags.read(AverageConfig)), flush=True)


if __name__ == "__main__":
    flags.define(AverageConfig)
    app.run(main, in_one_task=True)
