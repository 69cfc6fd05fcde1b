"""What a run reads beside its training batches."""

import numpy as np

from engine import devices
from engine.run import train_inputs, train_setup
from tests.engine import coloured_images, small_runs


def test_statistics_are_of_batches_like_those_of_the_last_step(tmp_path):
    coloured_images.write_split(tmp_path, "train", [0, 1] * 6, [0, 1] * 6)
    coloured_images.write_split(tmp_path, "other", [2] * 3, [2] * 3)
    config = small_runs.make_config(
        dataset_dir=tmp_path,
        train_dir=tmp_path / "run",
        mixed_in_split_name="other",
        mixed_in_fraction=0.25,
        mixed_in_after_epochs=2,  # of three steps
        max_number_of_steps=9,
    )
    strategy = devices.make_strategy(1)
    setup = train_setup.prepare(config, strategy)
    state = train_setup.restored_state(setup, config, strategy)
    read = train_inputs.make_inputs(setup, config, state)
    for step, num_mixed_in in ((6, 0), (7, 1), (9, 1)):
        for batch in read.other_batches(5, step).take(2):
            assert np.sum(batch["label"].numpy() == 2) == num_mixed_in
