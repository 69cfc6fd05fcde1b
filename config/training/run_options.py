"""A run: how long, where, on which devices, how it is watched and validated."""

import dataclasses

from config.options import MOST_EPOCHS, Options, option


@dataclasses.dataclass(frozen=True)
class RunOptions(Options):
    """Run."""

    train_dir: str = option(
        "/tmp/tfmodel/",
        "Folder for checkpoints and TensorBoard events. slim's default is in a folder"
        " shared by all users: using it gives a warning, or an error if it is not your"
        " own.",
    )
    max_number_of_steps: int | None = option(
        None, "Step to stop at; by default the run never stops.", minimum=1
    )
    max_number_of_epochs: float | None = option(
        None,
        "Number of epochs to train for, instead of --max_number_of_steps (not a slim"
        " flag).",
        above=0,
        maximum=MOST_EPOCHS,
    )
    seed: int = option(
        0,
        "Seed of weight initialization, data order, augmentation and dropout (not a"
        " slim flag).",
        minimum=0,
    )
    log_every_n_steps: int = option(
        10,
        "Steps between two log lines; by default lines, and those of validation, are at"
        " least 5 seconds apart.",
        minimum=1,
    )
    save_summaries_secs: int = option(
        600,
        "Seconds between two sets of histograms and images for TensorBoard; 0 writes"
        " none. Scalars are written every --log_every_n_steps.",
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
