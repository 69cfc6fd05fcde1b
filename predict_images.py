r"""Classifies photos: the most likely classes, or the net's features.

python predict_images.py --checkpoint_path=runs/a photo.jpg folder 'trip/*.png'

`model.json` next to the checkpoint names the net; for a published slim checkpoint,
--model_name does.
"""

import script_start  # noqa: F401  (before all that takes time)

from common import signal_errors
from config import app, flags
from config.predict_config import PredictConfig
from engine import predict

flags.define(PredictConfig)


def main(photos: list[str]) -> int:
    """Predicts as the flags say; status 1 where some photos could not be read."""
    signal_errors.exit_on_sigterm()
    return predict.predict(flags.read(PredictConfig), photos)


if __name__ == "__main__":
    app.run(main, positional="PHOTO")
