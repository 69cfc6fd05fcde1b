"""The options of `train_image_classifier.py`."""

import dataclasses

from config.options import Options, option
from config.shared_options import (
    ComputeOptions,
    DataOptions,
    ModelOptions,
    require_dataset_dir,
)
from errors import UserError


@dataclasses.dataclass(frozen=True)
class TrainDataOptions(Options):
    """Training data."""

    dataset_split_name: str = option("train", "Split to train on.")
    batch_size: int = option(32, "Batch size per clone.", minimum=1)
    train_image_size: int | None = option(
        None, "Side of the images in pixels; by default the net's.", minimum=1
    )
    num_readers: int = option(
        4, "Number of TFRecord files read in parallel.", minimum=1
    )


@dataclasses.dataclass(frozen=True)
class AugmentationOptions(Options):
    """Augmentation beyond the preprocessing's own."""

    rand_augment_ops: int = option(
        0,
        "Number of RandAugment operations applied to each image; 0 turns it off (not"
        " a slim flag).",
        minimum=0,
    )
    rand_augment_magnitude: int = option(
        9,
        "Strength of the RandAugment operations, from 0 to 30 (not a slim flag).",
        minimum=0,
        maximum=30,
    )
    random_erasing: float = option(
        0.0,
        "Probability of blanking a rectangle in an image (not a slim flag).",
        minimum=0,
        maximum=1,
    )
    mixup_alpha: float = option(
        0.0,
        "Mixup: blend pairs of images and their labels, with weights drawn from"
        " Beta(alpha, alpha); 0 turns it off, 0.2 is usual (not a slim flag).",
        minimum=0,
    )
    cutmix_alpha: float = option(
        0.0,
        "CutMix: paste a rectangle of another image and mix the labels by area, with"
        " shares drawn from Beta(alpha, alpha); 0 turns it off, 1 is usual. With mixup,"
        " one of the two is applied, at random (not a slim flag).",
        minimum=0,
    )


@dataclasses.dataclass(frozen=True)
class FineTuneOptions(Options):
    """Fine-tuning."""

    checkpoint_path: str | None = option(
        None,
        "Checkpoint to start from: a file, its prefix or a folder; V1 or V2 format. A"
        " checkpoint already in --train_dir wins over it.",
    )
    checkpoint_exclude_scopes: str | None = option(
        None,
        "Comma-separated scopes to initialize anew instead of restoring: name"
        " prefixes or regular expressions; `head` stands for the net's logits and"
        " auxiliary head.",
    )
    trainable_scopes: str | None = option(
        None,
        "Comma-separated scopes to train, written as for --checkpoint_exclude_scopes;"
        " everything else is frozen. By default everything is trained.",
    )
    ignore_missing_vars: bool = option(
        False, "Initialize variables that the checkpoint lacks, instead of refusing it."
    )
    freeze_batch_norm: bool = option(
        True,
        "Batch norms outside --trainable_scopes use their stored statistics and do"
        " not update them. With false they use batch statistics and drift, as in slim"
        " (not a slim flag).",
    )
    batch_norm_decay: float | None = option(
        None,
        "Decay of the moving statistics of the batch norms that are not frozen; by"
        " default the net's own. The Inceptions' 0.9997 averages over thousands of"
        " steps; 0.9 to 0.99 suits runs of a few hundred (not a slim flag).",
        minimum=0,
        maximum=1,
    )
    recompute_batch_norm: str = option(
        "auto",
        "Whether batch-norm statistics are recomputed over 1,000 training images for"
        " the run's evaluations and saved checkpoints, in place of the moving"
        " averages: auto (while these cannot have settled, with --freeze_batch_norm),"
        " true or false. The run itself continues from the averages, which checkpoints"
        " hold as <variable>/RunningAverage (not a slim flag).",
        choices=("auto", "true", "false"),
    )
    head_solver: str = option(
        "steps",
        "How to train the head with --trainable_scopes=head: steps, as slim does, or"
        " logistic, which fits it on the cached features by logistic regression, with"
        " an L2 penalty chosen by cross-validation instead of --weight_decay; an"
        " auxiliary head is left unchanged (not a slim flag).",
        choices=("steps", "logistic"),
    )
    dry_run: bool = option(
        False,
        "Print the plan of what is restored and trained, then exit (not a slim flag).",
    )
    list_scopes: bool = option(
        False,
        "Print the scopes of --model_name with their parameter counts, then exit (not"
        " a slim flag).",
    )

    @property
    def solves_head(self) -> bool:
        """Whether the head is solved in place of trained in steps."""
        return self.head_solver != "steps"


@dataclasses.dataclass(frozen=True)
class FeatureCacheOptions(Options):
    """Feature cache."""

    feature_cache: str = option(
        "off",
        "Compute the frozen part of the net once per image and keep the result: off,"
        " memory or disk (not a slim flag).",
        choices=("off", "memory", "disk"),
    )
    feature_cache_dir: str | None = option(
        None,
        "Folder of --feature_cache=disk, shared by all runs with the same frozen part"
        " and data; by default <dataset_dir>/feature_cache (not a slim flag).",
    )
    feature_cache_views: int | None = option(
        None,
        "Number of versions of each image, used by the epochs in turn: 1 is"
        " evaluation preprocessing, more are augmented. By default 1 with a feature"
        " cache, and a new augmentation in every epoch without one (not a slim flag).",
        minimum=1,
    )
    feature_cache_dtype: str = option(
        "float32",
        "Dtype of the cached features: float32, or bfloat16 at half the size (not a"
        " slim flag).",
        choices=("float32", "bfloat16"),
    )


@dataclasses.dataclass(frozen=True)
class ScheduleOptions(Options):
    """Learning rate."""

    learning_rate_decay_type: str = option(
        "exponential",
        "Learning-rate schedule: fixed, exponential or polynomial.",
        choices=("fixed", "exponential", "polynomial"),
    )
    learning_rate: float = option(0.01, "Initial learning rate.", minimum=0)
    end_learning_rate: float = option(
        0.0001, "Final learning rate of the polynomial schedule.", minimum=0
    )
    learning_rate_decay_factor: float = option(
        0.94,
        "Factor by which the exponential schedule lowers the learning rate at each"
        " decay.",
        minimum=0,
    )
    num_epochs_per_decay: float = option(
        2.0,
        "Epochs between two decays of the exponential schedule, or length of the"
        " polynomial one, counted in batches of one clone.",
        above=0,
    )
    warmup_epochs: float = option(
        0.0, "Epochs over which the learning rate rises linearly from 0.", minimum=0
    )


@dataclasses.dataclass(frozen=True)
class OptimizerOptions(Options):
    """Optimizer."""

    optimizer: str = option(
        "rmsprop",
        "Optimizer: adadelta, adagrad, adam, ftrl, momentum, sgd or rmsprop, with the"
        " update rules of TensorFlow 1.",
        choices=("adadelta", "adagrad", "adam", "ftrl", "momentum", "sgd", "rmsprop"),
    )
    adadelta_rho: float = option(0.95, "Decay rate of adadelta.", minimum=0, maximum=1)
    adagrad_initial_accumulator_value: float = option(
        0.1, "Initial value of adagrad's accumulators.", above=0
    )
    adam_beta1: float = option(
        0.9, "Decay rate of adam's first-moment estimates.", minimum=0
    )
    adam_beta2: float = option(
        0.999, "Decay rate of adam's second-moment estimates.", minimum=0
    )
    opt_epsilon: float = option(
        1.0,
        "Epsilon of adadelta, adam and rmsprop. slim's default of 1.0 is large: 1e-8"
        " is usual for adam.",
        above=0,
    )
    ftrl_learning_rate_power: float = option(
        -0.5, "Learning-rate power of ftrl.", maximum=0
    )
    ftrl_initial_accumulator_value: float = option(
        0.1, "Initial value of ftrl's accumulators.", minimum=0
    )
    ftrl_l1: float = option(0.0, "L1 regularization strength of ftrl.", minimum=0)
    ftrl_l2: float = option(0.0, "L2 regularization strength of ftrl.", minimum=0)
    momentum: float = option(0.9, "Momentum of the momentum optimizer.", minimum=0)
    clip_gradient_norm: float | None = option(
        None,
        "Clip gradients to this global norm; off by default (not a slim flag).",
        above=0,
    )
    gradient_accumulation_steps: int = option(
        1,
        "Batches whose gradients are averaged into one step: the effect of a batch"
        " this many times larger, in the memory of one (not a slim flag).",
        minimum=1,
    )
    rmsprop_momentum: float = option(0.9, "Momentum of rmsprop.", minimum=0)
    rmsprop_decay: float = option(
        0.9, "Decay rate of rmsprop's mean of squared gradients.", minimum=0, maximum=1
    )


@dataclasses.dataclass(frozen=True)
class LossOptions(Options):
    """Loss."""

    weight_decay: float = option(0.00004, "Weight of the L2 penalty.", minimum=0)
    label_smoothing: float = option(
        0.0,
        "Amount of label smoothing: the share of each label spread over all classes.",
        minimum=0,
        maximum=1,
    )
    moving_average_decay: float | None = option(
        None,
        "Decay of the moving averages of all variables, saved as"
        " <variable>/ExponentialMovingAverage; off by default.",
        minimum=0,
        maximum=1,
    )


@dataclasses.dataclass(frozen=True)
class RunOptions(Options):
    """Run."""

    train_dir: str = option(
        "/tmp/tfmodel/",
        "Folder for checkpoints and TensorBoard events. slim's default lies in a"
        " place shared by all users: using it gives a warning, or an error where it is"
        " not your own.",
    )
    max_number_of_steps: int | None = option(
        None, "Step to stop at; by default the run never stops.", minimum=1
    )
    max_number_of_epochs: float | None = option(
        None,
        "Number of epochs to train for, instead of --max_number_of_steps (not a slim"
        " flag).",
        above=0,
    )
    seed: int = option(
        0,
        "Seed of weight initialization, data order, augmentation and dropout (not a"
        " slim flag).",
        minimum=0,
    )
    log_every_n_steps: int = option(
        10,
        "Steps between two log lines; by default lines are at least 5 seconds apart.",
        minimum=1,
    )
    save_summaries_secs: int = option(
        600,
        "Seconds between two sets of histograms and images for TensorBoard; 0 writes"
        " none. Scalars are written with every log line.",
        minimum=0,
    )
    summarize_sparsity: bool = option(
        False,
        "Also write the share of zeros in each end point for TensorBoard (not a slim"
        " flag).",
    )
    save_interval_secs: int = option(600, "Seconds between two checkpoints.", minimum=1)
    max_run_secs: int | None = option(
        None,
        "Save and exit with status 75 after this many seconds, before a batch"
        " system's time limit; the same command continues the run. Off by default (not"
        " a slim flag).",
        minimum=1,
    )
    deterministic: bool = option(
        False,
        "Make runs with the same flags bit-identical; slower on GPUs (not a slim"
        " flag).",
    )
    num_clones: int = option(
        1,
        "Number of this machine's devices to train on, each with its own --batch_size.",
        minimum=1,
    )
    clone_on_cpu: bool = option(False, "Train on the CPU even if there is a GPU.")


@dataclasses.dataclass(frozen=True)
class ValidationOptions(Options):
    """Validation during training."""

    eval_split_name: str | None = option(
        None, "Split to evaluate during training; by default none (not a slim flag)."
    )
    eval_every_n_steps: int | None = option(
        None,
        "Steps between two evaluations; by default one epoch (not a slim flag).",
        minimum=1,
    )
    early_stopping_patience: int | None = option(
        None,
        "Stop after this many evaluations without an improvement in accuracy; off by"
        " default (not a slim flag).",
        minimum=1,
    )


@dataclasses.dataclass(frozen=True)
class TrainConfig:
    """All options of `train_image_classifier.py`."""

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

    def __post_init__(self) -> None:
        """Checks what depends on several options."""
        run, validation = self.run, self.validation
        if self.fine_tune.list_scopes:
            return
        require_dataset_dir(self.data)
        if self.feature_cache.feature_cache != "off" and run.num_clones > 1:
            raise UserError(
                f"--feature_cache={self.feature_cache.feature_cache} needs"
                " --num_clones=1: the rest of the net is quick on one device"
            )
        if self.feature_cache.feature_cache != "off" and (
            self.augmentation.mixup_alpha or self.augmentation.cutmix_alpha
        ):
            raise UserError(
                "--mixup_alpha and --cutmix_alpha mix images, which --feature_cache"
                " replaces by features: leave one of them out"
            )
        if self.fine_tune.solves_head:
            self._check_solved_head()
        if run.max_number_of_steps and run.max_number_of_epochs:
            raise UserError(
                "--max_number_of_steps and --max_number_of_epochs are both given: give"
                " one"
            )
        if not validation.eval_split_name and (
            validation.eval_every_n_steps or validation.early_stopping_patience
        ):
            raise UserError(
                "--eval_every_n_steps and --early_stopping_patience need"
                " --eval_split_name, the split to evaluate"
            )

    def _check_solved_head(self) -> None:
        solver = f"--head_solver={self.fine_tune.head_solver}"
        if self.fine_tune.trainable_scopes != "head":
            raise UserError(
                f"{solver} solves the head alone: add --trainable_scopes=head, or leave"
                " it out to train other scopes in steps"
            )
        cache = self.feature_cache
        if cache.feature_cache == "off" or (cache.feature_cache_views or 1) > 1:
            raise UserError(
                f"{solver} works on cached features of each image as evaluation sees"
                " it: add --feature_cache=memory or disk, with --feature_cache_views=1"
            )
        without_meaning = {
            "max_number_of_steps": self.run.max_number_of_steps,
            "max_number_of_epochs": self.run.max_number_of_epochs,
            "label_smoothing": self.loss.label_smoothing,
            "moving_average_decay": self.loss.moving_average_decay,
        }
        for name, value in without_meaning.items():
            if value:
                raise UserError(
                    f"--{name}={value} has no meaning with {solver}, which makes no"
                    " steps: leave one of them out"
                )
