"""The options of `eval_image_classifier.py`."""

import dataclasses

from config.cluster_options import ClusterOptions
from config.options import Options, option
from config.shared_options import ComputeOptions, DataOptions, ModelOptions, check_tta


@dataclasses.dataclass(frozen=True)
class EvalOptions(Options):
    """Evaluation."""

    checkpoint_path: str = option(
        "/tmp/tfmodel/",
        "Checkpoint to evaluate: a file, its prefix or a folder (its newest"
        " checkpoint); V1 or V2 format. The probabilities of a comma-separated list are"
        " averaged. The default is in a shared folder: see --eval_dir.",
    )
    eval_dir: str = option(
        "/tmp/tfmodel/",
        "Folder for metrics.json, per_class.csv, predictions.csv,"
        " confusion_matrix.png and TensorBoard events; for a run with run.json, by"
        " default eval/ in the run's folder. slim's default is in a folder shared by"
        " all users: using it gives a warning, or an error if it is not your own.",
    )
    dataset_split_name: str = option(
        "test",
        "Split to evaluate. If the flag is not given and there is no split test, it is"
        " the split that the run was validated on, or else validation, or the"
        " only split other than train.",
    )
    num_examples: int = option(
        0,
        "Number of examples of the split to evaluate, the first ones in the order of"
        " the files; 0 for all (not a slim flag).",
        minimum=0,
    )
    batch_size: int = option(
        100,
        "Images per batch. Without --max_num_batches, at most: batches are made even.",
        minimum=1,
    )
    max_num_batches: int | None = option(
        None,
        "Number of batches to evaluate; by default, and with 0, all of them.",
        minimum=0,
    )
    eval_image_size: int | None = option(
        None, "Side of the images in pixels; by default the net's.", minimum=1
    )
    moving_average_decay: float | None = option(
        None,
        "Any value but 0 evaluates the moving averages of the variables, saved as"
        " <variable>/ExponentialMovingAverage.",
    )
    tta: str | None = option(
        None,
        "Average over views of each image: flip (itself and its mirror image), ten_crop"
        " (corners and center, each also mirrored), or flip,ten_crop (all twelve) (not"
        " a slim flag).",
    )
    eval_interval_secs: int | None = option(
        None,
        "Watch the folder --checkpoint_path, checking this often: evaluate its newest"
        " checkpoint, then every later one, until interrupted. By default evaluate"
        " once (not a slim flag).",
        minimum=1,
    )
    report: bool = option(
        False,
        "Also write report.html into --eval_dir: one page with accuracy, learning"
        " curves, confusions, calibration, mistakes and likely label errors (not a"
        " slim flag).",
    )
    gallery: int = option(
        0,
        "Also write gallery.html into --eval_dir: this many images, evenly spaced over"
        " the split, with label, prediction and probability, correct predictions in"
        " green and wrong ones in red (not a slim flag).",
        minimum=0,
    )


@dataclasses.dataclass(frozen=True)
class EvalConfig:
    """All options of `eval_image_classifier.py`."""

    data: DataOptions
    model: ModelOptions
    evaluation: EvalOptions
    compute: ComputeOptions = dataclasses.field(default_factory=ComputeOptions)
    cluster: ClusterOptions = dataclasses.field(default_factory=ClusterOptions)

    def __post_init__(self) -> None:
        """Checks the views, too."""
        check_tta(self.evaluation.tta)
