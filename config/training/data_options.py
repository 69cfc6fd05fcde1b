"""What training reads: the split, its batches, their order."""

import dataclasses

from config.options import Options, option


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
    train_image_size: int | None = option(
        None, "Side of the images in pixels; by default the net's.", minimum=1
    )
    num_readers: int = option(
        4, "Number of TFRecord files read in parallel.", minimum=1
    )
    sampling: str = option(
        "shuffled",
        "Order of the training images: shuffled, each once in every epoch, or balanced,"
        " of each class in turn, so that images of small classes come more often (not a"
        " slim flag).",
        choices=("shuffled", "balanced"),
    )
