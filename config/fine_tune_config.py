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
        " checkpoint; the same command goes on in it.",
        required=True,
    )
    recipe: str | None = option(
        None,
        "File of training flags in [stage] sections, as in recipes/; by default the"
        " head is solved, then the last blocks are opened where the probe expects a"
        " gain.",
    )
    unlabeled_dir: str | None = option(
        None,
        "Folder of photos without labels, for a recipe with a pseudo_label stage, as"
        " recipes/pseudo_labels.txt.",
    )
    budget_mins: float | None = option(
        None,
        "Minutes that the stages after the first may take together, over all commands"
        " in --output_dir, but for one that was killed outright; a larger budget goes"
        " on with the last stage. Given without --recipe, a fifth of it goes to trials"
        " of which blocks to open (not with --deterministic), and the best are opened"
        " whatever the probe expects; 0 stops after the first stage. By default 10, and"
        " no limit for a recipe.",
        minimum=0,
    )
    export_formats: str | None = option(
        None,
        "Comma-separated formats to export the best checkpoint to, as --formats of"
        " convert/export_model.py takes them.",
    )


@dataclasses.dataclass(frozen=True)
class FineTuneConfig(TrainGroups):
    """All options of `fine_tune.py`."""

    stages: StagesOptions
