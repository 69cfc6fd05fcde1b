"""Handwritten digits from photographs to every export, by the scripts.

    python -m tests.real.digits --output_dir=/tmp/digits

A narrow net learns the digits 0 to 4 of scikit-learn and is fine-tuned to 5 to 9; then
it predicts photographs that it has not seen, is evaluated with a report, and is
exported in every format. Prints every command as it runs it.
"""

import importlib.util
import json
import os
import pathlib
import shlex
import subprocess
import sys
from collections.abc import Sequence

import numpy as np
from absl import flags
from PIL import Image
from sklearn import datasets

from config import app
from errors import UserError

FLAGS = flags.FLAGS

ROOT = pathlib.Path(__file__).parents[2]
NAMES = ("five", "six", "seven", "eight", "nine")
_FIRST_NAMES = ("zero", "one", "two", "three", "four")
_SIDE = 32  # pixels; the digits have 8
_HELD_OUT = 20  # photographs of each class that no record has
_TRAINING = (
    "--model_name=mobilenet_v1_025",
    "--preprocessing_name=lenet",
    f"--train_image_size={_SIDE}",
    "--batch_size=32",
    "--optimizer=adam",
    "--opt_epsilon=0.001",
    "--learning_rate=0.003",
    "--batch_norm_decay=0.9",
    "--log_every_n_steps=25",
    "--eval_split_name=validation",
    "--eval_every_n_steps=75",
)
FLOAT_FORMATS = ("saved_model", "tflite", "frozen_graph")


def run(folder: pathlib.Path) -> None:
    """Runs everything in an empty folder.

    It then holds `held_out` photographs, their `predictions.jsonl`, the run `tuned`
    with `eval/report.html`, and its exports in `export`.
    """
    _write_photos(folder)
    for name in ("first", "last"):
        _run(
            folder,
            "convert/images_to_tfrecord.py",
            *(f"--image_dir=photos/{name}", f"--dataset_dir=records/{name}"),
            *(f"--dataset_name={name}", "--validation_fraction=0.25"),
        )
    _train(folder, "first", "pretrained", "--max_number_of_steps=150")
    _train(
        folder,
        *("last", "tuned", "--max_number_of_steps=150"),
        "--checkpoint_path=pretrained",
        "--checkpoint_exclude_scopes=head",
    )
    _run(
        folder,
        "eval_image_classifier.py",
        *("--dataset_dir=records/last", "--checkpoint_path=tuned"),
        *("--eval_dir=tuned/eval", "--report"),
    )
    _run(
        folder,
        "predict_images.py",
        *("--checkpoint_path=tuned", "held_out", "--format=jsonl"),
        "--output_file=predictions.jsonl",
    )
    onnx = ["onnx"] if has_onnx() else []
    _export(folder, *FLOAT_FORMATS, "tflite_float16", "tflite_int8", *onnx)


def has_onnx() -> bool:
    """Whether the packages that write and run ONNX are installed."""
    needed = ("tf2onnx", "onnxruntime")
    return all(importlib.util.find_spec(name) for name in needed)


def predictions(folder: pathlib.Path) -> dict[str, np.ndarray]:
    """Probabilities by class, of each held-out photograph by its path."""
    found = {}
    for line in (folder / "predictions.jsonl").read_text().splitlines():
        one = json.loads(line)
        by_label = sorted(one["classes"], key=lambda entry: entry["label"])
        found[one["photo"]] = np.array([entry["probability"] for entry in by_label])
    return found


def _write_photos(folder: pathlib.Path) -> None:
    """Writes photos/<first or last>/<class>/*.png and held_out/<class>/*.png."""
    digits = datasets.load_digits()
    left = dict.fromkeys(range(5, 10), _HELD_OUT)
    for number, (pixels, digit) in enumerate(
        zip(digits.images, digits.target, strict=True)
    ):
        if left.get(digit):
            left[digit] -= 1
            target = folder / "held_out" / NAMES[digit - 5]
        elif digit < 5:
            target = folder / "photos" / "first" / _FIRST_NAMES[digit]
        else:
            target = folder / "photos" / "last" / NAMES[digit - 5]
        target.mkdir(parents=True, exist_ok=True)
        photo = Image.fromarray(np.uint8(pixels * 255 / 16))  # 16 grey levels
        photo = photo.resize((_SIDE, _SIDE), Image.Resampling.BICUBIC)
        photo.save(target / f"{number:04d}.png")


def _train(folder: pathlib.Path, data: str, train_dir: str, *arguments: str) -> None:
    _run(
        folder,
        "train_image_classifier.py",
        *(f"--dataset_name={data}", f"--dataset_dir=records/{data}"),
        *(f"--train_dir={train_dir}", *_TRAINING, *arguments),
    )


def _export(folder: pathlib.Path, *formats: str) -> None:
    _run(
        folder,
        "convert/export_model.py",
        *("--checkpoint_path=tuned", "--output_dir=export"),
        *("--check_images=held_out", "--representative_dir=photos/last"),
        f"--formats={','.join(formats)}",
    )


def _run(folder: pathlib.Path, script: str, *arguments: str) -> None:
    """Runs a script in a folder, its log to the terminal."""
    print(f"\n$ python {shlex.join([script, *arguments])}", flush=True)
    command: Sequence[str] = [sys.executable, os.fspath(ROOT / script), *arguments]
    status = subprocess.run(command, cwd=folder, check=False).returncode
    if status:
        raise UserError(f"{script} ended with status {status}, as said above.")


def main() -> None:
    """Runs everything."""
    folder = pathlib.Path(FLAGS.output_dir).absolute()
    folder.mkdir(parents=True, exist_ok=True)
    run(folder)


if __name__ == "__main__":
    flags.DEFINE_string("output_dir", None, "Folder for all that is made.")
    flags.mark_flags_as_required(["output_dir"])
    app.run(main)
