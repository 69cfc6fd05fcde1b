"""What training reads: the split, its batches, their order."""

import dataclasses

from config.options import MOST_EPOCHS, Options, option
from errors import UserError


@dataclasses.dataclass(frozen=True)
class TrainDataOptions(Options):
    """Training data."""

    dataset_split_name: str = option("train", "Split to train on.")
    num_examples: int = option(
        0,
        "Number of examples of the split to train on, the first ones in the order of"
        " the files; 0 for all (not a slim flag).",
        minimum=0,
    )
    batch_size: int = option(32, "Batch size per clone.", minimum=1)
    global_batch_size: int | None = option(
        None,
        "Images per step over all machines, clones and accumulated batches;"
        " --gradient_accumulation_steps follows from it, so that any number of machines"
        " trains the same run, and schedules count in these steps. By default each"
        " machine adds its images (not a slim flag).",
        minimum=1,
    )
    train_image_size: int | None = option(
        None, "Side of the images in pixels; by default the net's.", minimum=1
    )
    num_readers: int = option(
        4, "Number of TFRecord files read in parallel.", minimum=1
    )
    sampling: str = option(
        "shuffled",
        "Order of the training images: shuffled (each once per epoch) or balanced (the"
        " classes take turns, so that images of small classes come more often) (not a"
        " slim flag).",
        choices=("shuffled", "balanced"),
    )
    shuffle: str | None = option(
        None,
        "How to shuffle a split of more than 1 GiB: whole (by record position; each"
        " machine reads only its own records) or buffer (files in random order, through"
        " a 1 GiB buffer). By default whole on several machines and"
        " with --global_batch_size, else buffer (not a slim flag).",
        choices=("whole", "buffer"),
    )
    mixed_in_split_name: str | None = option(
        None,
        "Another split of the data set that provides a share of every batch, such as"
        " one from convert/pseudo_label.py (not a slim flag).",
    )
    mixed_in_fraction: float = option(
        0.0,
        "Share of each batch that comes from --mixed_in_split_name, rounded to whole"
        " images (not a slim flag).",
        minimum=0,
        maximum=1,
    )
    mixed_in_after_epochs: float = option(
        0.0,
        "Epochs, counted like --max_number_of_epochs, before the first batch with"
        " images of --mixed_in_split_name (not a slim flag).",
        minimum=0,
        maximum=MOST_EPOCHS,
    )

    @property
    def num_mixed_in(self) -> int:
        """Images of `--mixed_in_split_name` in the batch of a clone."""
        return round(self.mixed_in_fraction * self.batch_size)

    def check_mixed_in(self) -> None:
        """Checks the flags of what is mixed in.

        Raises:
          UserError: they do not belong together, or leave a batch of one split only.
        """
        name, fraction = self.mixed_in_split_name, self.mixed_in_fraction
        if bool(name) != bool(fraction) or (self.mixed_in_after_epochs and not name):
            raise UserError(
                "--mixed_in_split_name and --mixed_in_fraction need each other, and"
                " --mixed_in_after_epochs needs both: give both, as in"
                " --mixed_in_split_name=pseudo --mixed_in_fraction=0.25"
            )
        if name and name == self.dataset_split_name:
            raise UserError(
                f"--mixed_in_split_name={name} is --dataset_split_name itself: name"
                " another split"
            )
        if name and not 0 < self.num_mixed_in < self.batch_size:
            raise UserError(
                f"--mixed_in_fraction={fraction:g} of --batch_size={self.batch_size}"
                f" rounds to {self.num_mixed_in} images: at least one of each split"
                " must be in a batch"
            )
