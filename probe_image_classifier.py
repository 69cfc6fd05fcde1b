r"""Estimates how much of a checkpoint is worth fine-tuning, before any training.

python probe_image_classifier.py --dataset_dir=data/photos \
    --model_name=inception_v3 --checkpoint_path=inception_v3.ckpt

Fits a linear classifier to the features of every depth of the net, and prints which
depth is best, what that says about the data, and the commands to run next.
"""

import script_start  # noqa: F401  (before all that takes time)

from config import app, flags
from config.probe_config import ProbeConfig
from engine import probe

flags.define(ProbeConfig)


def main() -> int:
    """Probes as the flags say."""
    return probe.probe(flags.read(ProbeConfig), given=flags.given())


if __name__ == "__main__":
    app.run(main, in_one_task=True)
