"""The second split that a run mixes into its batches, `--mixed_in_split_name`."""

from config.train_config import TrainConfig
from datasets.mixed_in import MixedIn
from engine import inputs
from engine.step.run_length import RunLength


def of_run(config: TrainConfig, length: RunLength) -> MixedIn | None:
    """What the options mix in, if anything.

    Args:
      config: the options.
      length: how long the run is.
    """
    options = config.train_data
    if not options.mixed_in_split_name:
        return None
    return MixedIn(
        inputs.get_dataset(config.data, options.mixed_in_split_name),
        number=options.num_mixed_in,
        of=options.batch_size,
        first_batch=length.steps_in(options.mixed_in_after_epochs),
    )


def as_text(mixed_in: MixedIn) -> str:
    """One line for the log."""
    dataset = mixed_in.dataset
    return (
        f"mixed in: {mixed_in.number} of the {mixed_in.of} images of each batch come"
        f" from split {dataset.split_name!r} ({dataset.num_examples} images), from step"
        f" {mixed_in.first_batch + 1} on"
    )
