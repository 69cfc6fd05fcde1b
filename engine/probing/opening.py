"""Flags that suit training some blocks after the head is solved.

Training from a solved head at a low rate distorts the features less than training from
a new head (Kumar et al., Fine-Tuning Can Distort Pretrained Features, 2022). Batch
norms keep their statistics: with those of a batch, the solved head would get features
that it was not solved for. benchmarks/README.md has the figures.
"""

from collections.abc import Mapping
from typing import Any

from checkpoints import plan as plans
from config.cluster_options import ClusterOptions
from config.probe_config import ProbeConfig
from config.shared_options import ModelOptions
from config.train_config import TrainConfig
from config.training.augmentation_options import AugmentationOptions
from config.training.data_options import TrainDataOptions
from config.training.feature_cache_options import FeatureCacheOptions
from config.training.fine_tune_options import FineTuneOptions
from config.training.loss_options import LossOptions
from config.training.optimizer_options import OptimizerOptions
from config.training.run_options import RunOptions, ValidationOptions
from config.training.schedule_options import ScheduleOptions
from engine.probing import depths
from engine.probing.depths import Depth
from nets.network import Network

_OPTIMIZER: Mapping[str, Any] = {"optimizer": "adam", "opt_epsilon": 1e-8}
_SCHEDULE: Mapping[str, Any] = {
    "learning_rate": 0.00001,
    "learning_rate_decay_type": "fixed",
}
# Where the head is right about an image Adam would follow the penalty alone.
_LOSS: Mapping[str, Any] = {"weight_decay": 0.0}
_EPOCHS: Mapping[str, Any] = {"max_number_of_epochs": 8}
_PATIENCE: Mapping[str, Any] = {"early_stopping_patience": 3}
# The flags of such a stage, except for the scopes that it trains.
ARGUMENTS = tuple(
    f"--{name}={value}"
    for name, value in {
        **_OPTIMIZER,
        **_SCHEDULE,
        **_LOSS,
        **_EPOCHS,
        **_PATIENCE,
    }.items()
)


def scopes(depth: Depth, network: Network) -> list[str]:
    """What to train after a depth, as scopes for `--trainable_scopes`.

    Of layers with batch norm those are the weights, so that the batch norms stay as
    they are.
    """
    names = list(network.model_variables)
    norms = plans.batch_norm_scopes(names)
    return [
        f"{scope}.*weights" if any(n.startswith(scope) for n in norms) else scope
        for scope in depths.scopes_of(depth.after, names)
    ]


def train_config(
    probe: ProbeConfig, *, scopes: str, start: str, train_dir: str, eval_split_name: str
) -> TrainConfig:
    """The options of such a run on a probe's data and net, with a feature cache.

    Args:
      probe: the probe's options, complete.
      scopes: what to train, for --trainable_scopes.
      start: the checkpoint with the solved head.
      train_dir: the run's folder.
      eval_split_name: the split to validate on.
    """
    options = probe.probe
    return TrainConfig(
        data=probe.data,
        train_data=TrainDataOptions(
            dataset_split_name=options.dataset_split_name,
            train_image_size=options.train_image_size,
            batch_size=options.batch_size,
        ),
        augmentation=AugmentationOptions(),
        model=ModelOptions(model_name=options.model_name or ""),
        compute=probe.compute,
        fine_tune=FineTuneOptions(checkpoint_path=start, trainable_scopes=scopes),
        feature_cache=FeatureCacheOptions(
            feature_cache="disk", feature_cache_dir=options.feature_cache_dir
        ),
        schedule=ScheduleOptions(**_SCHEDULE),
        optimizer=OptimizerOptions(**_OPTIMIZER),
        loss=LossOptions(**_LOSS),
        validation=ValidationOptions(eval_split_name=eval_split_name, **_PATIENCE),
        run=RunOptions(
            train_dir=train_dir, seed=options.seed, save_summaries_secs=0, **_EPOCHS
        ),
        cluster=ClusterOptions(cluster="off"),
    )
