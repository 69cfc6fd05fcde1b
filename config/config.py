"""The options of training, evaluation and prediction: one frozen record a group.

Every field is a flag of the same name: its default, its help and its limits stand here
and nowhere else (`config.flags` makes the flags, the README's table is checked against
them). Defaults are slim's unless the help says "slim: …".
"""

import dataclasses
import math
from typing import Any, TypeVar

from errors import UserError

T = TypeVar("T")
TTA_VIEWS = ("flip", "ten_crop")


def option(
    default: Any,
    text: str,
    *,
    choices: tuple[str, ...] = (),
    minimum: float | None = None,
    maximum: float | None = None,
    above: float | None = None,
) -> Any:
    """A field that is a flag.

    Args:
      default: the flag's default; None means unset.
      text: the flag's help.
      choices: the only values allowed, when given.
      minimum: smallest value allowed.
      maximum: largest value allowed.
      above: values must be greater than this.
    """
    limits = {"choices": choices, "minimum": minimum, "maximum": maximum}
    metadata = {"help": text, **limits, "above": above}
    return dataclasses.field(default=default, metadata=metadata)


class Options:
    """Base of the groups: checks the limits of every field when built."""

    def __post_init__(self) -> None:
        """Checks each value against its field's limits."""
        for field in dataclasses.fields(self):  # type: ignore[arg-type]
            _check(field, getattr(self, field.name))


def _check(field: dataclasses.Field[Any], value: Any) -> None:
    if value is None:
        return
    limits = field.metadata
    if limits["choices"] and value not in limits["choices"]:
        expected = f"one of {', '.join(limits['choices'])}"
    elif isinstance(value, float) and not math.isfinite(value):
        expected = "a finite number"
    elif limits["minimum"] is not None and value < limits["minimum"]:
        expected = f"{limits['minimum']} or more"
    elif limits["maximum"] is not None and value > limits["maximum"]:
        expected = f"{limits['maximum']} or less"
    elif limits["above"] is not None and value <= limits["above"]:
        expected = f"more than {limits['above']}"
    else:
        return
    raise UserError(f"--{field.name}={value}: expected {expected}")


@dataclasses.dataclass(frozen=True)
class DataOptions(Options):
    """Data."""

    dataset_name: str = option(
        "imagenet",
        "Name of the data set: the --dataset_name given to the converter, or cifar10,"
        " flowers, imagenet, mnist or visualwakewords.",
    )
    dataset_dir: str | None = option(None, "Folder with the TFRecords. Required.")
    labels_offset: int = option(
        0,
        "Subtracted from every label and from the number of classes: 1 for ImageNet"
        " with the 1000-class VGG and ResNet v1 weights.",
        minimum=0,
    )
    preprocessing_name: str | None = option(
        None, "Preprocessing of the images; by default the one of --model_name."
    )
    use_grayscale: bool = option(False, "Turn images to one channel.")
    max_bad_records: int = option(
        0,
        "Leave out up to so many records of a split that cannot be read or decoded, or"
        " whose label is no class; each is named. With 0 the first one met is an error;"
        " else every record is decoded once before the start (slim: none).",
        minimum=0,
    )
    num_preprocessing_threads: int = option(
        4, "Images decoded and preprocessed at once.", minimum=1
    )


@dataclasses.dataclass(frozen=True)
class TrainDataOptions(Options):
    """Training data."""

    dataset_split_name: str = option("train", "Split to train on.")
    batch_size: int = option(32, "Images a step on each clone.", minimum=1)
    train_image_size: int | None = option(
        None, "Side of the images in pixels; by default the net's.", minimum=1
    )
    num_readers: int = option(4, "TFRecord files read at once.", minimum=1)


@dataclasses.dataclass(frozen=True)
class AugmentationOptions(Options):
    """Augmentation beyond the preprocessing's own."""

    rand_augment_ops: int = option(
        0, "RandAugment operators applied to each image; 0 is off.", minimum=0
    )
    rand_augment_magnitude: int = option(
        9, "Strength of the RandAugment operators, 0 to 30.", minimum=0, maximum=30
    )
    random_erasing: float = option(
        0.0, "Share of images in which a rectangle is blanked.", minimum=0, maximum=1
    )
    mixup_alpha: float = option(
        0.0,
        "Mixup: blend images and labels in pairs, with shares from Beta(alpha, alpha);"
        " 0 is off, 0.2 usual.",
        minimum=0,
    )
    cutmix_alpha: float = option(
        0.0,
        "CutMix: paste a rectangle of another image, labels by area, with shares from"
        " Beta(alpha, alpha); 0 is off, 1 usual. With mixup, either one by chance.",
        minimum=0,
    )


@dataclasses.dataclass(frozen=True)
class ModelOptions(Options):
    """Network."""

    model_name: str = option("inception_v3", "Network: a name of nets/nets_factory.py.")


@dataclasses.dataclass(frozen=True)
class ComputeOptions(Options):
    """Computation."""

    precision: str = option(
        "float32",
        "Numbers that the layers compute with: float32, mixed_bfloat16 (up to twice"
        " as fast, on CPUs and GPUs that have it) or mixed_float16 (for older GPUs; the"
        " loss is scaled). Weights, statistics, loss and optimizer stay float32"
        " (slim: none).",
        choices=("float32", "mixed_bfloat16", "mixed_float16"),
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
        "Comma-separated scopes that start afresh in place of being restored: name"
        " prefixes or regular expressions; `head` is the net's own logits and"
        " auxiliary head.",
    )
    trainable_scopes: str | None = option(
        None,
        "Comma-separated scopes to train, written as for --checkpoint_exclude_scopes;"
        " everything else is frozen. By default everything is trained.",
    )
    ignore_missing_vars: bool = option(
        False, "Start variables afresh that the checkpoint lacks."
    )
    freeze_batch_norm: bool = option(
        True,
        "Batch norms outside --trainable_scopes use their stored statistics and leave"
        " them alone (slim: they use the batch's and drift, as false does here).",
    )
    batch_norm_decay: float | None = option(
        None,
        "Decay of the statistics that the other batch norms store; by default the"
        " net's own, in the Inceptions 0.9997, which averages over thousands of steps:"
        " 0.9 to 0.99 suits runs of hundreds (slim: none).",
        minimum=0,
        maximum=1,
    )
    recompute_batch_norm: str = option(
        "auto",
        "Whether evaluations of the run, and the checkpoints that it saves, have the"
        " statistics of its batch norms computed anew over 1,000 training images, in"
        " place of stored averages: auto (while these cannot have settled, with"
        " --freeze_batch_norm), true or false. The run goes on from the averages, which"
        " checkpoints hold as <variable>/RunningAverage (slim: none).",
        choices=("auto", "true", "false"),
    )
    head_solver: str = option(
        "steps",
        "How to train where --trainable_scopes=head: steps, as slim does, or logistic,"
        " which finds the head's best weights on the cached features by logistic"
        " regression, with an L2 penalty that cross-validation chooses in place of"
        " --weight_decay; an auxiliary head stays as it is (slim: none).",
        choices=("steps", "logistic"),
    )
    dry_run: bool = option(
        False, "Print the plan of what is restored and trained; exit."
    )
    list_scopes: bool = option(
        False, "Print the scopes of --model_name with their parameters; exit."
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
        "Compute the frozen part of the net once for each image and keep the result:"
        " off, memory or disk.",
        choices=("off", "memory", "disk"),
    )
    feature_cache_dir: str | None = option(
        None,
        "Folder of --feature_cache=disk, shared by all runs whose frozen part and data"
        " are the same; by default <dataset_dir>/feature_cache.",
    )
    feature_cache_views: int | None = option(
        None,
        "Versions of each image that the epochs take in turn: 1 is evaluation"
        " preprocessing, more are augmented ones. By default 1 with a cache, and"
        " without one a new augmentation each epoch.",
        minimum=1,
    )
    feature_cache_dtype: str = option(
        "float32",
        "What features are kept as: float32, or bfloat16 in half the room.",
        choices=("float32", "bfloat16"),
    )


@dataclasses.dataclass(frozen=True)
class ScheduleOptions(Options):
    """Learning rate."""

    learning_rate_decay_type: str = option(
        "exponential",
        "How the rate falls: fixed, exponential or polynomial.",
        choices=("fixed", "exponential", "polynomial"),
    )
    learning_rate: float = option(0.01, "Initial learning rate.", minimum=0)
    end_learning_rate: float = option(
        0.0001, "Last rate of the polynomial decay.", minimum=0
    )
    learning_rate_decay_factor: float = option(
        0.94, "Factor of each exponential decay.", minimum=0
    )
    num_epochs_per_decay: float = option(
        2.0,
        "Epochs between two exponential decays, or the length of the polynomial one,"
        " counted in batches of one clone.",
        above=0,
    )
    warmup_epochs: float = option(
        0.0, "Epochs over which the rate rises from 0.", minimum=0
    )


@dataclasses.dataclass(frozen=True)
class OptimizerOptions(Options):
    """Optimizer."""

    optimizer: str = option(
        "rmsprop",
        "Update rule: adadelta, adagrad, adam, ftrl, momentum, sgd or rmsprop, by the"
        " formulas of TensorFlow 1.",
        choices=("adadelta", "adagrad", "adam", "ftrl", "momentum", "sgd", "rmsprop"),
    )
    adadelta_rho: float = option(0.95, "Decay of adadelta.", minimum=0, maximum=1)
    adagrad_initial_accumulator_value: float = option(
        0.1, "Start of adagrad's accumulators.", above=0
    )
    adam_beta1: float = option(0.9, "Decay of adam's first moment.", minimum=0)
    adam_beta2: float = option(0.999, "Decay of adam's second moment.", minimum=0)
    opt_epsilon: float = option(
        1.0,
        "Epsilon of adadelta, adam and rmsprop. 1.0 is slim's, and large: 1e-8 is"
        " usual with adam.",
        above=0,
    )
    ftrl_learning_rate_power: float = option(-0.5, "Power of ftrl.", maximum=0)
    ftrl_initial_accumulator_value: float = option(
        0.1, "Start of ftrl's accumulators.", minimum=0
    )
    ftrl_l1: float = option(0.0, "L1 strength of ftrl.", minimum=0)
    ftrl_l2: float = option(0.0, "L2 strength of ftrl.", minimum=0)
    momentum: float = option(0.9, "Momentum of the momentum optimizer.", minimum=0)
    clip_gradient_norm: float | None = option(
        None,
        "Scale gradients down to this global norm; off by default (slim: none).",
        above=0,
    )
    gradient_accumulation_steps: int = option(
        1,
        "Batches whose gradients are averaged for one step: the update of a batch so"
        " many times larger in the memory of one (slim: none).",
        minimum=1,
    )
    rmsprop_momentum: float = option(0.9, "Momentum of rmsprop.", minimum=0)
    rmsprop_decay: float = option(
        0.9, "Decay of rmsprop's mean square.", minimum=0, maximum=1
    )


@dataclasses.dataclass(frozen=True)
class LossOptions(Options):
    """Loss."""

    weight_decay: float = option(0.00004, "L2 penalty on the weights.", minimum=0)
    label_smoothing: float = option(
        0.0, "Share of each label spread over all classes.", minimum=0, maximum=1
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
        "Folder for checkpoints and TensorBoard events. slim's default, in a place that"
        " all users share, is warned of, and refused where it is not your own.",
    )
    max_number_of_steps: int | None = option(
        None, "Step to stop at; by default none.", minimum=1
    )
    max_number_of_epochs: float | None = option(
        None, "Epochs to stop after, in place of --max_number_of_steps.", above=0
    )
    seed: int = option(
        0,
        "Seed of the initial weights, the order, the augmentation and dropout (slim:"
        " none).",
        minimum=0,
    )
    log_every_n_steps: int = option(10, "Steps between two log lines.", minimum=1)
    save_summaries_secs: int = option(
        600,
        "Seconds between two sets of histograms and images for TensorBoard; 0 writes"
        " none. Scalars are written with every log line.",
        minimum=0,
    )
    save_interval_secs: int = option(600, "Seconds between two checkpoints.", minimum=1)
    max_run_secs: int | None = option(
        None,
        "Save and end with status 75 after so many seconds, before a batch system's"
        " limit; the same command goes on. Off by default.",
        minimum=1,
    )
    deterministic: bool = option(
        False,
        "Let two runs with the same flags give the same bits; slower on GPUs.",
    )
    num_clones: int = option(
        1, "Devices of this machine to train on, each with --batch_size.", minimum=1
    )
    clone_on_cpu: bool = option(False, "Train on the CPU where there is a GPU.")


@dataclasses.dataclass(frozen=True)
class ValidationOptions(Options):
    """Validation during training."""

    eval_split_name: str | None = option(
        None, "Split to evaluate while training; off by default."
    )
    eval_every_n_steps: int | None = option(
        None, "Steps between two evaluations; by default once an epoch.", minimum=1
    )
    early_stopping_patience: int | None = option(
        None,
        "Stop after this many evaluations without a better accuracy; off by default.",
        minimum=1,
    )


@dataclasses.dataclass(frozen=True)
class EvalOptions(Options):
    """Evaluation."""

    checkpoint_path: str = option(
        "/tmp/tfmodel/",
        "What to evaluate: a folder (its newest checkpoint), a checkpoint or its"
        " prefix; V1 or V2 format. Of slim's default see --eval_dir.",
    )
    eval_dir: str = option(
        "/tmp/tfmodel/",
        "Folder for metrics.json, per_class.csv, predictions.csv, confusion_matrix.png"
        " and TensorBoard events. slim's default, in a place that all users share, is"
        " warned of, and refused where it is not your own.",
    )
    dataset_split_name: str = option(
        "test",
        "Split to evaluate. When the flag is not given and there is no such split, the"
        " data set's own evaluation split is taken.",
    )
    batch_size: int = option(100, "Images at once.", minimum=1)
    max_num_batches: int | None = option(
        None, "Batches to evaluate; by default, and with 0, all.", minimum=0
    )
    eval_image_size: int | None = option(
        None, "Side of the images in pixels; by default the net's.", minimum=1
    )
    moving_average_decay: float | None = option(
        None,
        "Any value but 0 evaluates the moving averages of the variables, saved as"
        " <variable>/ExponentialMovingAverage.",
    )
    eval_interval_secs: int | None = option(
        None,
        "Watch the folder --checkpoint_path, looking this often: evaluate its newest"
        " checkpoint, then every one that comes after it, until interrupted. By"
        " default evaluate once.",
        minimum=1,
    )
    report: bool = option(
        False,
        "Also write report.html into --eval_dir: one page with accuracy, learning"
        " curves, confusions, calibration, mistakes and likely label errors.",
    )


@dataclasses.dataclass(frozen=True)
class NetOptions(Options):
    """Net of the checkpoint, where no model.json beside it says so."""

    model_name: str | None = option(
        None, "Network; by default model.json's, or inception_v3."
    )
    image_size: int | None = option(
        None, "Side of the images in pixels; by default model.json's.", minimum=1
    )
    preprocessing_name: str | None = option(
        None, "Preprocessing of the images; by default model.json's, or the net's."
    )
    use_grayscale: bool | None = option(None, "Turn images to one channel.")
    labels_offset: int | None = option(
        None,
        "Classes left out at the start: 1 for ImageNet's 1000-class weights. By default"
        " found from the checkpoint's number of classes.",
        minimum=0,
    )
    dataset_name: str | None = option(
        None, "Data set whose classes they are; by default model.json's, or imagenet."
    )
    dataset_dir: str | None = option(
        None, "Folder of its TFRecords; imagenet's classes need none."
    )


@dataclasses.dataclass(frozen=True)
class PredictOptions(Options):
    """Prediction."""

    checkpoint_path: str | None = option(
        None,
        "What to predict with: a folder (its newest checkpoint), a checkpoint or its"
        " prefix; V1 or V2 format. Of a comma-separated list the probabilities are"
        " averaged. Required.",
    )
    moving_average_decay: float | None = option(
        None,
        "Any value but 0 takes the moving averages of the variables, saved as"
        " <variable>/ExponentialMovingAverage.",
    )
    top_k: int = option(5, "Classes named for each photo.", minimum=1)
    tta: str | None = option(
        None,
        "Average over views of each photo: flip (itself and its mirror image), ten_crop"
        " (corners and centre, each also mirrored), or flip,ten_crop (all twelve).",
    )
    output: str = option(
        "classes",
        "What to write: the likeliest classes, or the net's features.",
        choices=("classes", "features"),
    )
    end_point: str | None = option(
        None,
        "Comma-separated end points of the net, for --output=features; a wrong name"
        " lists them.",
    )
    format: str = option(
        "table",
        "How to write classes: a table, csv, or jsonl (one JSON object a photo).",
        choices=("table", "csv", "jsonl"),
    )
    output_file: str | None = option(
        None,
        "Where to write; by default the terminal. Features need it: a NumPy archive,"
        " .npz, with the photos' names and an array for each end point.",
    )
    batch_size: int = option(32, "Photos at once.", minimum=1)
    bits: int | None = option(
        None,
        "Bits that 16- and 32-bit files hold where they do not say it themselves, as of"
        " microscopes: 8, 10, 12, 14 or 16. By default those of the data set, by"
        " model.json, or 16 where a photo needs them; others are an error (slim:"
        " none).",
        minimum=8,
        maximum=16,
    )
    num_preprocessing_threads: int = option(
        4, "Photos decoded and preprocessed at once.", minimum=1
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
        _require_dataset_dir(self.data)
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


@dataclasses.dataclass(frozen=True)
class EvalConfig:
    """All options of `eval_image_classifier.py`."""

    data: DataOptions
    model: ModelOptions
    evaluation: EvalOptions
    compute: ComputeOptions = ComputeOptions()

    def __post_init__(self) -> None:
        """Checks what depends on several options."""
        _require_dataset_dir(self.data)


@dataclasses.dataclass(frozen=True)
class PredictConfig:
    """All options of `predict_images.py`."""

    predict: PredictOptions
    net: NetOptions

    def __post_init__(self) -> None:
        """Checks what depends on several options."""
        predict = self.predict
        if not predict.checkpoint_path:
            raise UserError("--checkpoint_path is missing: the checkpoint, or a list")
        unknown = set(split_list(predict.tta)) - set(TTA_VIEWS)
        if unknown:
            raise UserError(
                f"--tta={predict.tta}: expected {' or '.join(TTA_VIEWS)}, or both with"
                " a comma between"
            )
        if predict.output == "features":
            self._check_features()
        elif predict.end_point:
            raise UserError("--end_point needs --output=features: add it")

    def _check_features(self) -> None:
        predict = self.predict
        if not (predict.output_file or "").endswith(".npz"):
            raise UserError(
                f"--output_file={predict.output_file}: features go to a NumPy archive;"
                " name a file that ends in .npz"
            )
        if predict.tta or len(split_list(predict.checkpoint_path)) > 1:
            raise UserError(
                "--output=features are those of one checkpoint and of the photo itself:"
                " leave out --tta and further checkpoints"
            )


def split_list(text: str | None) -> list[str]:
    """The entries of a comma-separated flag, in order."""
    return [part.strip() for part in (text or "").split(",") if part.strip()]


def _require_dataset_dir(data: DataOptions) -> None:
    if not data.dataset_dir:
        raise UserError("--dataset_dir is missing: the folder with the TFRecords")
