r"""Trains or fine-tunes an image classifier on TFRecords, with TF-Slim's flags.

python train_image_classifier.py --dataset_dir=data/photos \
    --model_name=inception_v3 --checkpoint_path=inception_v3.ckpt \
    --checkpoint_exclude_scopes=head --trainable_scopes=head --train_dir=runs/a
"""

import script_start  # noqa: F401  (before all that takes time)

from config import app, flags
from config.train_config import TrainConfig
from engine import train_loop

flags.define(TrainConfig)


def main() -> int:
    """Trains as the flags say; the exit status is that of the run."""
    options = flags.read(TrainConfig)
    if options.fine_tune.list_scopes:
        train_loop.list_scopes(options.model)
        return 0
    return train_loop.train(options, given=flags.given())


if __name__ == "__main__":
    app.run(main)
