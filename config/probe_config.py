"""The options of `probe_image_classifier.py`."""

import dataclasses

from config.options import Options, option
from config.shared_options import ComputeOptions, DataOptions, require_dataset_dir
from errors import UserError


@dataclasses.dataclass(frozen=True)
class ProbeOptions(Options):
    """Probe."""

    checkpoint_path: str | None = option(
        None,
        "Checkpoint to fine-tune from: a file, its prefix or a folder; V1 or V2 format."
        " Its head may be missing or for other classes. Required.",
    )
    model_name: str | None = option(
        None,
        "Network; by default that of the checkpoint's model.json, or inception_v3.",
    )
    dataset_split_name: str = option("train", "Split to fit the classifiers on.")
    eval_split_name: str | None = option(
        None,
        "Split whose accuracy is reported. It only affects which trials of"
        " --trial_secs continue; by default validation, if there is one.",
    )
    train_image_size: int | None = option(
        None, "Side of the images in pixels; by default the net's.", minimum=1
    )
    batch_size: int = option(
        32, "Images per batch, at most: batches are made even.", minimum=1
    )
    probe_classifier: str = option(
        "logistic",
        "Linear classifier at each depth: logistic regression, or svm (a linear"
        " support-vector machine).",
        choices=("logistic", "svm"),
    )
    seed: int = option(
        0, "Seed of the folds of cross-validation and of the new head.", minimum=0
    )
    feature_cache_dir: str | None = option(
        None,
        "Folder that keeps the features, so that a second probe takes seconds; by"
        " default <dataset_dir>/feature_cache.",
    )
    trial_secs: float | None = option(
        None,
        "Total seconds of trial runs that train what comes after the best depths,"
        " starting from the solved head, on features computed beforehand. After each"
        " round the better half continues; they are compared on --eval_split_name. By"
        " default there are no trials.",
        above=0,
    )
    output_dir: str | None = option(
        None,
        "Folder for probe.json, probe.csv and probe.svg (accuracy over depth); by"
        " default only the table is printed.",
    )
    output_checkpoint_dir: str | None = option(
        None,
        "Folder for a slim checkpoint whose head is the classifier of the last depth,"
        " ready to evaluate, to predict with, or to fine-tune from.",
    )


@dataclasses.dataclass(frozen=True)
class ProbeConfig:
    """All options of `probe_image_classifier.py`."""

    data: DataOptions
    probe: ProbeOptions
    compute: ComputeOptions

    def __post_init__(self) -> None:
        """Checks what depends on several options."""
        require_dataset_dir(self.data.dataset_dir)
        if not self.probe.checkpoint_path:
            raise UserError(
                "--checkpoint_path is missing: the published checkpoint to probe"
            )
        if self.probe.probe_classifier == "logistic":
            return
        for name in ("output_checkpoint_dir", "trial_secs"):
            if getattr(self.probe, name):
                raise UserError(
                    f"--probe_classifier={self.probe.probe_classifier} gives no"
                    f" probabilities, which a head needs: omit --{name}, or use"
                    " --probe_classifier=logistic"
                )
