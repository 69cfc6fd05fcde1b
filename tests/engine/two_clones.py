"""Trains on one device and on two slices of the CPU, and writes the values of both.

`python -m tests.engine.two_clones FOLDER` writes checkpoints into its folders `one` and
`two`, of the values before and after three steps with frozen batch norms, and trains
on two clones into `run`.
"""

import pathlib
import sys
from unittest import mock

from checkpoints.checkpoint_folder import CheckpointFolder
from engine import devices
from nets import nets_factory
from tests.engine import small_runs
from tests.engine.trainer import Trainer, noise, without_dropout


def main(folder: pathlib.Path) -> None:
    """Writes what the module says."""
    clones = devices.make_strategy(2, on_cpu=True)
    nets_factory.NETWORKS[small_runs.NET] = without_dropout(small_runs.NET_ENTRY)
    for name, strategy in (("one", None), ("two", clones)):
        trainer = Trainer(
            folder / name,
            strategy=strategy,
            optimizer="momentum",
            trainable_scopes=".*/weights,head",
            clip_gradient_norm=0.5,
        )
        CheckpointFolder(str(folder / name), keep=2).save(0, trainer.fresh)
        trainer.run(noise(3), [1, 2])
        CheckpointFolder(str(folder / name), keep=2).save(3, trainer.values())

    nets_factory.NETWORKS[small_runs.NET] = small_runs.NET_ENTRY
    # A second strategy of a process would renumber its collective operations.
    with mock.patch.object(devices, "make_strategy", return_value=clones):
        small_runs.train(
            dataset_dir=small_runs.write_images(folder / "images"),
            train_dir=folder / "run",
            num_clones=2,
            batch_size=2,
            moving_average_decay=0.9,
            eval_split_name="validation",
            max_number_of_steps=3,
        )


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
