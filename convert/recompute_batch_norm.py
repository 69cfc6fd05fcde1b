r"""Recomputes the batch-norm statistics of a checkpoint from training images.

    python convert/recompute_batch_norm.py --checkpoint_path=runs/a \
        --dataset_dir=data/photos --output_dir=runs/a/recomputed

The moving averages that a short run stores lag behind its weights, so that it trains
well but evaluates at chance. The net is read from `model.json` next to the checkpoint.
The output folder gets everything that the checkpoint holds, `model.json` and
labels.txt; a run can continue from it as from the checkpoint.
"""

import script_start  # noqa: F401  (before all that takes time)

import dataclasses
import os
from collections.abc import Mapping

import numpy as np
from absl import logging

import common.quiet_tensorflow  # noqa: F401  (before others load it)
from checkpoints import plan, restore, slim_format
from checkpoints.restore import RUNNING_AVERAGE
from checkpoints.slim_format import Checkpoint
from common import atomic_files
from config import app, flags
from config.options import Options, option
from config.predict_config import NetOptions
from config.shared_options import DataOptions, require_dataset_dir
from convert.weights import checkpoint_output
from datasets.dataset import Dataset
from engine import inputs
from engine.batch_norm import recomputation
from engine.batch_norm.split_statistics import SplitStatistics
from engine.restored import (
    checkpoint_info,
    checkpoint_run,
    eval_weights,
    trained_batch_norms,
)
from engine.step.moving_average import SUFFIX
from errors import UserError
from nets.network import Network
from nets.new_head import NewHead


@dataclasses.dataclass(frozen=True)
class RecomputeOptions(Options):
    """Recomputation."""

    checkpoint_path: str | None = option(
        None, "A folder (its newest checkpoint), or a checkpoint's prefix. Required."
    )
    output_dir: str | None = option(
        None,
        "Folder to write, which must not exist. By default `recomputed` next to the"
        " checkpoint.",
    )
    dataset_split_name: str = option("train", "Split whose images are used.")
    batch_size: int = option(
        32,
        "Batch size; as in training, whose batch norms normalize over it.",
        minimum=1,
    )
    num_images: int = option(
        recomputation.IMAGES,
        "Number of images to use, or all of a smaller split: 1,000 to 10,000 suffice.",
        minimum=1,
    )
    trainable_scopes: str | None = option(
        None,
        "The --trainable_scopes of training, whose batch norms are recomputed; `.*` for"
        " all. By default those in run.json next to the checkpoint, or otherwise those"
        " for which the checkpoint holds optimizer slots.",
    )
    seed: int = option(
        0, "Seed of the order and augmentation of images, as in training.", minimum=0
    )


@dataclasses.dataclass(frozen=True)
class RecomputeConfig:
    """All options of `recompute_batch_norm`."""

    recompute: RecomputeOptions
    net: NetOptions

    def __post_init__(self) -> None:
        """Checks the required flags."""
        if not self.recompute.checkpoint_path:
            raise UserError("--checkpoint_path is missing: the checkpoint")
        require_dataset_dir(self.net.dataset_dir)


@atomic_files.explained_errors()
def recompute(config: RecomputeConfig) -> str:
    """Writes a checkpoint with recomputed statistics; returns its prefix.

    Raises:
      UserError: the checkpoint does not fit the net or the data, does not show which
        batch norms were trained, or the folder exists.
    """
    options = config.recompute
    checkpoint = Checkpoint(slim_format.find_checkpoint(options.checkpoint_path or ""))
    beside = os.path.join(os.path.dirname(checkpoint.path), "recomputed")
    output_dir = options.output_dir or beside
    checkpoint_output.require_new(output_dir)
    info = checkpoint_info.info_of(checkpoint, config.net)
    data = checkpoint_info.data_options(info, config.net)
    dataset = inputs.get_dataset(data, options.dataset_split_name)
    network = Network(
        info.model_name,
        num_classes=info.num_classes,
        image_size=info.image_size,
        channels=inputs.num_channels(dataset, data, info.model_name),
        head=NewHead.of(info),
    )
    trained = _trained_batch_norms(network, checkpoint, options.trainable_scopes)
    statistics = _statistics(network, checkpoint, dataset, data, trained, options)
    tensors = {name: checkpoint.read(name) for name in checkpoint.shapes}
    for name, value in statistics.items():
        tensors.setdefault(f"{name}/{RUNNING_AVERAGE}", tensors[name])
        tensors[name] = value
    step = checkpoint.global_step or 0
    return checkpoint_output.write(output_dir, info, step, tensors)


def _trained_batch_norms(
    network: Network, checkpoint: Checkpoint, trainable_scopes: str | None
) -> list[str]:
    """Scopes of the checkpoint's batch norms that were trained.

    Raises:
      UserError: there are none, or they are unknown.
    """
    found = trained_batch_norms.find(network, checkpoint, trainable_scopes)
    if found is None:
        raise UserError(
            f"{checkpoint.path} holds no optimizer slots that show which batch norms"
            " were trained: give the --trainable_scopes of training, or .* for all"
        )
    if not found:
        raise UserError(
            "no batch norm was trained, so the statistics are those of the net that"
            " training started from: nothing to recompute"
        )
    return found


def _statistics(
    network: Network,
    checkpoint: Checkpoint,
    dataset: Dataset,
    data: DataOptions,
    trained: list[str],
    options: RecomputeOptions,
) -> Mapping[str, np.ndarray]:
    """Statistics by name, also those for the moving averages if there are any."""
    over_split = SplitStatistics(
        network,
        dataset,
        data,
        set(trained),
        checkpoint_run.seen_images(os.path.dirname(checkpoint.path)),
        batch_size=options.batch_size,
        num_images=options.num_images,
        seed=options.seed,
        step=checkpoint.global_step or 0,
    )
    averaged = [False, True] if eval_weights.has_averages(checkpoint) else [False]
    statistics: dict[str, np.ndarray] = {}
    for average in averaged:
        _fill(network, checkpoint, dataset, average)
        suffix = f"/{SUFFIX}" if average else ""
        found = over_split.compute()
        statistics |= {f"{name}{suffix}": value for name, value in found.items()}
    logging.info(
        "Recomputed %d of %d batch norms from %d batches of %d images of %s.",
        *(len(trained), len(plan.batch_norm_scopes(list(network.model_variables)))),
        *(over_split.num_batches, options.batch_size),
        options.dataset_split_name,
    )
    return statistics


def _fill(
    network: Network, checkpoint: Checkpoint, dataset: Dataset, average: bool
) -> None:
    """Fills the net, and the auxiliary heads as far as the checkpoint has them."""
    eval_weights.fill(network, checkpoint, dataset, use_moving_average=average)
    suffix = f"/{SUFFIX}" if average else ""
    held = {f"{n}{suffix}": v for n, v in network.model_variables.items()}
    fitting = [n for n, v in held.items() if checkpoint.shapes.get(n) == tuple(v.shape)]
    restore.restore(held, checkpoint, fitting)


def main() -> None:
    """Recomputes what the flags ask for."""
    print(recompute(flags.read(RecomputeConfig)), flush=True)


if __name__ == "__main__":
    flags.define(RecomputeConfig)
    app.run(main, in_one_task=True)
