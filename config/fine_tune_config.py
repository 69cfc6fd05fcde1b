"""The options of `fine_tune.py`: its own, and those of training for all stages."""

import dataclasses

from config.options import Options, option
from config.train_config import TrainGroups


@dataclasses.dataclass(frozen=True)
class StagesOptions(Options):
    """Stages."""

    output_dir: str | None = option(
        None,
        "Folder for the data set, a run for each stage, the report and the best"
        " checkpoint; the same command continues there.",
        required=True,
    )
    recipe: str | None = option(
        None,
        "File of training flags in [stage] sections, as in recipes/; by default the"
        " head is solved, then a net that ends earlier and training the last blocks are"
        " tried, each if the probe expects a gain.",
    )
    unlabeled_dir: str | None = option(
        None,
        "Folder of photos without labels, for a recipe with a pseudo_label stage, as"
        " recipes/pseudo_labels.txt.",
    )
    budget_mins: float | None = option(
        None,
        "Total minutes for the stages after the first, over all commands in"
        " --output_dir; with a larger budget the same command continues the last stage."
        " If the flag is given without --recipe, a fifth of the time goes to trials of"
        " which blocks to train (not with --deterministic), and the best are trained"
        " whatever the probe expects. 0 stops after the first stage. By default 10,"
        " without limit for a recipe.",
        minimum=0,
    )
    export_formats: str | None = option(
        None,
        "Comma-separated formats to export the best checkpoint to: those of --formats"
        " of convert/export_model.py.",
    )


@dataclasses.dataclass(frozen=True)
class FineTuneConfig(TrainGroups):
    """All options of `fine_tune.py`."""

    stages: StagesOptions
