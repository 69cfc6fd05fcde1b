"""Fine-tuning: the checkpoint to start from, what of the net is trained, its head."""

import dataclasses

from config.options import Options, option


@dataclasses.dataclass(frozen=True)
class FineTuneOptions(Options):
    """Fine-tuning."""

    checkpoint_path: str | None = option(
        None,
        "Checkpoint to start from: a file, its prefix or a folder; V1 or V2 format. A"
        " checkpoint already in --train_dir takes precedence.",
    )
    checkpoint_exclude_scopes: str | None = option(
        None,
        "Comma-separated scopes to initialize instead of restoring: name"
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
        "Whether batch-norm statistics are recomputed over 1,000 training images, those"
        " mixed in included, for the run's evaluations and saved checkpoints, instead"
        " of the moving averages: auto (while these cannot have settled, with"
        " --freeze_batch_norm), true or false. The run itself continues from the"
        " averages, which checkpoints hold as <variable>/RunningAverage (not a slim"
        " flag).",
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
    learning_rate_multipliers: str | None = option(
        None,
        "Comma-separated scope=factor pairs: multiply the learning rate of the"
        " variables that a scope matches, as in --trainable_scopes, by its factor. The"
        " first match wins; without a match the factor is 1 (not a slim flag).",
    )
    layer_decay: float | None = option(
        None,
        "Layer-wise learning-rate decay: each block's rate is this factor times that"
        " of the next block, up to the head's, which is the full rate; 0.65 to 0.85 is"
        " usual (not a slim flag).",
        above=0,
        maximum=1,
    )
    starting_point_decay: float = option(
        0.0,
        "L2-SP: weight of an L2 penalty on how far restored variables have moved from"
        " their values in the checkpoint, instead of --weight_decay; 0 turns it off,"
        " 0.01 is usual (not a slim flag).",
        minimum=0,
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
        """Whether the head is solved instead of trained in steps."""
        return self.head_solver != "steps"
