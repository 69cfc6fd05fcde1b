r"""Evaluates an image classifier on TFRecords, with TF-Slim's flags.

python eval_image_classifier.py --dataset_dir=data/photos \
    --dataset_split_name=validation --model_name=inception_v3 \
    --checkpoint_path=runs/a --eval_dir=runs/a/eval
"""

import script_start  # noqa: F401  (before all that takes time)

from config import app, flags
from config.eval_config import EvalConfig
from engine import evaluate

flags.define(EvalConfig)


def main() -> int:
    """Evaluates as the flags say; the exit status is that of the run."""
    return evaluate.evaluate(flags.read(EvalConfig), given=flags.given())


if __name__ == "__main__":
    app.run(main)
