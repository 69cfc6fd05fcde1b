r"""Fine-tunes a classifier on your photos: from a folder to a report in one command.

python fine_tune.py photos/ --output_dir=runs/flowers

The folder holds one folder per class; a CSV file or a converted data set works too. It
converts the photos, downloads published weights, probes how well they suit the photos,
solves the head, cuts the net or trains its last blocks where that promises a gain, and
keeps the best.
Each stage is an ordinary run, whose command is printed; after an interruption, the same
command continues. Training flags apply to all stages.
"""

import script_start  # noqa: F401  (before all that takes time)

import os

# Nothing up here imports TensorFlow: each worker process of the conversion imports
# this file too.
from cluster.launchers import find_cluster
from common import signal_errors
from config import app, flags
from config.fine_tune_config import FineTuneConfig
from convert.tfrecords import parallel


def main(photos: list[str]) -> int:
    """Fine-tunes as the flags say; the exit status is that of the run."""
    options = flags.read(FineTuneConfig)
    cluster = find_cluster(os.environ, options.cluster.cluster)
    cluster.require_alone("fine_tune.py runs")
    with parallel.signals_held():
        from fine_tuning import fine_tune
    signal_errors.exit_on_sigterm()
    return fine_tune.fine_tune(options, photos, given=flags.given())


if __name__ == "__main__":
    flags.define(FineTuneConfig)
    app.run(main, positional="PHOTOS")
