"""The options of `train_image_classifier.py`: groups of `config/training/`, checked."""

import dataclasses
import typing
from collections.abc import Set
from typing import Any

from config import without_effect
from config.cluster_options import ClusterOptions
from config.shared_options import (
    ComputeOptions,
    DataOptions,
    ModelOptions,
    require_dataset_dir,
)
from config.training.augmentation_options import AugmentationOptions
from config.training.data_options import TrainDataOptions
from config.training.feature_cache_options import FeatureCacheOptions
from config.training.fine_tune_options import FineTuneOptions
from config.training.loss_options import LossOptions
from config.training.optimizer_options import OptimizerOptions
from config.training.run_options import RunOptions, ValidationOptions
from config.training.schedule_options import ScheduleOptions
from errors import UserError


@dataclasses.dataclass(frozen=True)
class TrainGroups:
    """The groups of training flags, in the order of --help."""

    data: DataOptions
    train_data: TrainDataOptions
    augmentation: AugmentationOptions
    model: ModelOptions
    compute: ComputeOptions
    fine_tune: FineTuneOptions
    feature_cache: FeatureCacheOptions
    schedule: ScheduleOptions
    optimizer: OptimizerOptions
    loss: LossOptions
    validation: ValidationOptions
    run: RunOptions
    cluster: ClusterOptions


@dataclasses.dataclass(frozen=True)
class TrainConfig(TrainGroups):
    """All options of `train_image_classifier.py`."""

    def __post_init__(self) -> None:
        """Checks what depends on several options."""
        run = self.run
        self._check_modes()
        if self.fine_tune.list_scopes:
            return
        require_dataset_dir(self.data.dataset_dir)
        self._check_feature_cache()
        if self.fine_tune.learning_rate_multipliers and self.fine_tune.layer_decay:
            raise UserError(
                "--learning_rate_multipliers and --layer_decay both scale the learning"
                " rates of layers: give only one"
            )
        self._check_balance()
        self._check_mixed_in()
        if self.fine_tune.solves_head:
            self._check_solved_head()
        self.check_given(frozenset())
        if run.max_number_of_steps and run.max_number_of_epochs:
            raise UserError(
                "--max_number_of_steps and --max_number_of_epochs are both given: give"
                " only one"
            )
        is_endless = not (run.max_number_of_steps or run.max_number_of_epochs)
        if not self.fine_tune.solves_head:
            self.schedule.check(is_endless=is_endless)

    @property
    def values(self) -> dict[str, Any]:
        """All options by the names of their flags."""
        groups = vars(self).values()
        return {name: value for group in groups for name, value in vars(group).items()}

    @property
    def ignored(self) -> list[str]:
        """Lines that name the allowed flags without an effect, and say why."""
        return without_effect.reports(self.values, _defaults())

    def check_given(self, given: Set[str]) -> None:
        """Refuses flags without an effect.

        Args:
          given: names of the flags on the command line.

        Raises:
          UserError: there is one, and slim would not ignore it.
        """
        if not self.fine_tune.list_scopes:
            without_effect.refuse(self.values, _defaults(), given)

    def for_machines(self, num_machines: int) -> "TrainConfig":
        """The options with `--gradient_accumulation_steps` as the global batch needs.

        Args:
          num_machines: that train together.

        Raises:
          UserError: they cannot divide it equally.
        """
        images, steps = self.train_data.global_batch_size, self.optimizer
        if images is None:
            return self
        if steps.gradient_accumulation_steps > 1:
            raise UserError(
                f"--global_batch_size={images} decides on"
                " --gradient_accumulation_steps: leave one of them out"
            )
        at_once = self.train_data.batch_size * self.run.num_clones * num_machines
        if images % at_once:
            raise UserError(
                f"--global_batch_size={images} is not a multiple of the {at_once}"
                " images that are computed at once"
                f" (--batch_size={self.train_data.batch_size}"
                f" × --num_clones={self.run.num_clones} × {num_machines} machines):"
                " change one of these"
            )
        optimizer = dataclasses.replace(
            steps, gradient_accumulation_steps=images // at_once
        )
        return dataclasses.replace(self, optimizer=optimizer)

    def _check_feature_cache(self) -> None:
        """Refuses what cannot go with cached features, or with a single view."""
        cache = self.feature_cache
        is_cached = cache.feature_cache != "off"
        if is_cached and self.run.num_clones > 1:
            raise UserError(
                f"--feature_cache={cache.feature_cache} needs --num_clones=1: one"
                " device is fast enough for the rest of the net"
            )
        if is_cached and (
            self.augmentation.mixup_alpha or self.augmentation.cutmix_alpha
        ):
            raise UserError(
                "--mixup_alpha and --cutmix_alpha mix images, but --feature_cache"
                " trains on features: omit one of them"
            )
        views = cache.feature_cache_views or (1 if is_cached else None)
        if views != 1:
            return
        for name, value in self.augmentation.of_single_images.items():
            flag = f"--feature_cache={cache.feature_cache}" if is_cached else ""
            raise UserError(
                f"--{name}={value} changes images at random, but"
                f" {flag or '--feature_cache_views=1'} keeps only one view of each,"
                " that of evaluation: add --feature_cache_views with at least 2, or"
                f" omit --{name}"
            )

    def _check_balance(self) -> None:
        """Refuses to balance classes twice, and soft targets with the focal loss."""
        weights, gamma = self.loss.class_weights, self.loss.focal_gamma
        if weights != "none" and self.train_data.sampling == "balanced":
            raise UserError(
                f"--class_weights={weights} and --sampling=balanced would balance the"
                " classes twice: give only one"
            )
        softening = {
            "label_smoothing": self.loss.label_smoothing,
            "mixup_alpha": self.augmentation.mixup_alpha,
            "cutmix_alpha": self.augmentation.cutmix_alpha,
        }
        for name, value in softening.items():
            if gamma and value:
                raise UserError(
                    f"--focal_gamma={gamma:g} needs one true class per image, but"
                    f" --{name}={value:g} spreads the target over several: omit one of"
                    " them"
                )

    def _check_mixed_in(self) -> None:
        """Refuses what cannot go with a second split in the batches."""
        data = self.train_data
        data.check_mixed_in()
        name = data.mixed_in_split_name
        if not name:
            return
        reasons = {
            f"feature_cache={self.feature_cache.feature_cache}": (
                self.feature_cache.feature_cache != "off",
                "holds only the training split",
            ),
            f"sampling={data.sampling}": (
                data.sampling != "shuffled",
                "samples only the training split",
            ),
            f"class_weights={self.loss.class_weights}": (
                self.loss.class_weights != "none",
                "counts only the training split",
            ),
            f"eval_split_name={name}": (
                self.validation.eval_split_name == name,
                "is to be evaluated, not trained on",
            ),
        }
        for flag, (is_given, reason) in reasons.items():
            if is_given:
                raise UserError(
                    f"--mixed_in_split_name={name} cannot go with --{flag}, which"
                    f" {reason}: omit one of them"
                )

    def _check_solved_head(self) -> None:
        solver = f"--head_solver={self.fine_tune.head_solver}"
        if self.fine_tune.trainable_scopes != "head":
            raise UserError(
                f"{solver} solves only the head: add --trainable_scopes=head, or omit"
                " it to train other scopes in steps"
            )
        cache = self.feature_cache
        if cache.feature_cache == "off" or (cache.feature_cache_views or 1) > 1:
            raise UserError(
                f"{solver} needs cached features of each image, preprocessed as in"
                " evaluation: add --feature_cache=memory or disk, with"
                " --feature_cache_views=1"
            )

    def _check_modes(self) -> None:
        """Refuses two flags that do something else than train."""
        are_given = {
            "list_scopes": self.fine_tune.list_scopes,
            "dry_run": self.fine_tune.dry_run,
            "find_learning_rate": self.schedule.find_learning_rate,
        }
        names = [f"--{name}" for name, is_given in are_given.items() if is_given]
        if len(names) > 1:
            raise UserError(
                f"{' and '.join(names)} each do one thing instead of training: give"
                " only one"
            )


def _defaults() -> dict[str, Any]:
    groups = typing.get_type_hints(TrainConfig).values()
    return {f.name: f.default for group in groups for f in dataclasses.fields(group)}
