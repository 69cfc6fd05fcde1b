"""The whole job on a small scale: photos to records, training, fine-tuning, evaluation.

The photos are the handwritten digits that come with scikit-learn, so nothing is
downloaded. A narrow Inception learns the digits 0 to 4; then `fine_tune.py` tunes it to
the digits 5 to 9, which it has never seen, and it is compared with the same net trained
from random weights on the same photos, in as many steps of as many images. The solved
head, which takes one pass over the photos and no steps, is part of the fine-tuning.
"""

import dataclasses
import json
import os
import shlex
import subprocess
import sys
import tempfile

import numpy as np
from PIL import Image
from sklearn import datasets as sklearn_datasets

from config import app, flags
from config.options import Options, option
from errors import UserError

_NAMES = ["zero", "one", "two", "three", "four"]
_NAMES += ["five", "six", "seven", "eight", "nine"]
_PHOTO_SIDE = 112  # pixels; the smallest that suits the net, the digits have 8
_ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
_FIRST_STEPS = 300
_FINE_TUNE_STEPS = 20  # few: in 40, random weights come close on a task this easy
_TRAINING = (
    "--model_name=inception_v3_narrow",
    "--preprocessing_name=lenet",
    f"--train_image_size={_PHOTO_SIDE}",
    "--batch_size=16",
    "--optimizer=adam",
    "--opt_epsilon=0.001",
    "--batch_norm_decay=0.95",
    "--log_every_n_steps=20",
)
_RATE = "--learning_rate=0.003"  # from random weights
# The head solved, then the last blocks at a tenth of the rate.
_RECIPE = f"""[head]
--checkpoint_exclude_scopes=head --trainable_scopes=head
--head_solver=logistic --feature_cache=memory
[top]
--trainable_scopes=InceptionV3/Mixed_7,head --learning_rate=0.0003
--max_number_of_steps={_FINE_TUNE_STEPS}
"""


@dataclasses.dataclass(frozen=True)
class DemoOptions(Options):
    """Demo."""

    work_dir: str | None = option(
        None, "Folder for everything the demo writes. By default a new temporary one."
    )


def main() -> None:
    """Runs every command and prints the two accuracies."""
    work_dir = flags.read(DemoOptions).work_dir or tempfile.mkdtemp(prefix="demo-")
    _say(f"photos of handwritten digits go to {work_dir}/photos")
    _write_photos(f"{work_dir}/photos")

    _say("1. convert a folder of photos to TFRecords")
    _convert(work_dir)
    _say(f"2. train on the digits 0 to 4, {_FIRST_STEPS} steps")
    first = ("digits_0_to_4", f"{work_dir}/records/digits_0_to_4")
    _train(f"{work_dir}/first", *first, _FIRST_STEPS)
    _say("3. fine-tune to the digits 5 to 9, from photos to a report")
    tuned = _fine_tune(work_dir)
    _say(
        f"4. for comparison: the same photos, {_FINE_TUNE_STEPS} steps of 16 images as"
        " before, from random weights"
    )
    random = _train_from_random_weights(work_dir)

    _say(f"curves: .venv/bin/tensorboard --logdir {work_dir}")
    print(
        f"demo: fine-tuned accuracy={tuned:.2f}, from random weights={random:.2f}, same"
        " steps"
    )


def _write_photos(folder: str) -> None:
    """Writes <folder>/<dataset>/<class>/<number>.png."""
    digits = sklearn_datasets.load_digits()
    for number, (pixels, digit) in enumerate(
        zip(digits.images, digits.target, strict=True)
    ):
        dataset = "digits_0_to_4" if digit < 5 else "digits_5_to_9"
        class_folder = os.path.join(folder, dataset, f"{digit}_{_NAMES[digit]}")
        os.makedirs(class_folder, exist_ok=True)
        photo = Image.fromarray(np.uint8(pixels * 255 / 16))  # 16 gray levels
        photo = photo.resize((_PHOTO_SIDE, _PHOTO_SIDE), Image.Resampling.BICUBIC)
        photo.save(os.path.join(class_folder, f"{number:04d}.png"))


def _convert(work_dir: str) -> None:
    _run(
        "convert/images_to_tfrecord.py",
        f"--image_dir={work_dir}/photos/digits_0_to_4",
        f"--dataset_dir={work_dir}/records/digits_0_to_4",
        "--dataset_name=digits_0_to_4",
        "--validation_fraction=0.25",
    )


def _fine_tune(work_dir: str) -> float:
    """Fine-tunes the first net to the digits 5 to 9 and returns its accuracy."""
    recipe = f"{work_dir}/recipe.txt"
    with open(recipe, "w", encoding="utf-8") as file:
        file.write(_RECIPE)
    _run(
        "fine_tune.py",
        f"{work_dir}/photos/digits_5_to_9",
        f"--output_dir={work_dir}/tuned",
        f"--checkpoint_path={work_dir}/first",
        f"--recipe={recipe}",
        *_TRAINING,
    )
    return _accuracy(f"{work_dir}/tuned/evaluation")


def _train_from_random_weights(work_dir: str) -> float:
    """Trains on the digits 5 to 9, for comparison, and returns the accuracy."""
    dataset_dir = f"{work_dir}/tuned/data"
    _train(f"{work_dir}/random", "digits_5_to_9", dataset_dir, _FINE_TUNE_STEPS)
    _run(
        "eval_image_classifier.py",
        f"--checkpoint_path={work_dir}/random",
        f"--dataset_dir={dataset_dir}",
        "--dataset_split_name=validation",
        f"--eval_dir={work_dir}/random/eval",
    )
    return _accuracy(f"{work_dir}/random/eval")


def _train(run: str, dataset: str, dataset_dir: str, steps: int) -> None:
    """Trains from random weights."""
    _run(
        "train_image_classifier.py",
        f"--dataset_name={dataset}",
        f"--dataset_dir={dataset_dir}",
        f"--train_dir={run}",
        *_TRAINING,
        _RATE,
        f"--max_number_of_steps={steps}",
    )


def _accuracy(eval_dir: str) -> float:
    """The accuracy that an evaluation wrote, in [0, 1]."""
    with open(f"{eval_dir}/metrics.json", encoding="utf-8") as file:
        return float(json.load(file)["accuracy"])


def _run(script: str, *arguments: str) -> None:
    """Shows a command, runs it in this environment, and ends the demo if it fails."""
    print("\n$ python " + " \\\n    ".join(map(shlex.quote, (script, *arguments))))
    sys.stdout.flush()
    status = subprocess.run(
        [sys.executable, os.path.join(_ROOT, script), *arguments], check=False
    ).returncode
    if status:
        raise UserError(f"{script} ended with exit status {status}; see above")


def _say(text: str) -> None:
    print(f"\n== {text}", flush=True)


if __name__ == "__main__":
    flags.define(DemoOptions)
    app.run(main)
