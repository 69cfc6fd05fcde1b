"""Fine-tunes the published InceptionV3 to pictures of three kinds, by the scripts.

    python -m tests.real.stamps --output_dir=/tmp/stamps

First the head alone, then Mixed_7 and the head, at 299 pixels; each next to the same
command without the published weights. Prints every command as it runs it, and at the
end what each reached: the figures of benchmarks/README.md.
"""

import dataclasses
import json
import pathlib
import shlex
import subprocess
import sys
import time
from collections.abc import Sequence

from absl import flags

from common.tables import text_table
from config import app
from errors import UserError
from tests.real import assets

FLAGS = flags.FLAGS

_DATASET = "stamps"
_DATA = (f"--dataset_name={_DATASET}", "--dataset_dir=data")
_TRAINING = (
    *_DATA,
    "--model_name=inception_v3",
    "--batch_size=16",
    "--optimizer=adam",
    "--opt_epsilon=1e-8",
    "--learning_rate_decay_type=fixed",
    "--log_every_n_steps=5",
    "--save_summaries_secs=60",
    "--eval_split_name=validation",
)
_STAGES = {
    "head": (
        "--trainable_scopes=head",
        "--learning_rate=0.03",
        "--max_number_of_steps=40",
        "--eval_every_n_steps=40",
    ),
    "mixed_7": (
        "--trainable_scopes=InceptionV3/Mixed_7,head",
        "--learning_rate=0.0001",
        "--max_number_of_steps=20",
        "--eval_every_n_steps=20",
    ),
}


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What a training run reached.

    Attributes:
      train_dir: its folder.
      accuracy: on the validation split after the last step.
      secs: that it took, from start to exit.
    """

    train_dir: pathlib.Path
    accuracy: float
    secs: float


def run(output_dir: pathlib.Path) -> dict[str, dict[str, Outcome]]:
    """Makes the data set and fine-tunes the net, with the weights and without.

    Args:
      output_dir: an empty folder; TensorBoard finds the runs in its `runs`.

    Returns:
      "published" and "random" -> stage -> outcome.
    """
    photos = f"--image_dir={assets.stamps()}"
    script = "convert/images_to_tfrecord.py"
    _run(script, (photos, *_DATA, "--validation_fraction=0.3"), output_dir)
    checkpoint = f"--checkpoint_path={assets.inception_checkpoint()}"
    published = (checkpoint, "--checkpoint_exclude_scopes=head")
    return {
        "published": _fine_tune(output_dir, "published", published),
        "random": _fine_tune(output_dir, "random", ()),
    }


def _fine_tune(
    output_dir: pathlib.Path, name: str, start: tuple[str, ...]
) -> dict[str, Outcome]:
    outcomes = {}
    for stage, training in _STAGES.items():
        train_dir = f"runs/{name}/{stage}"
        arguments = (*_TRAINING, *training, *start, f"--train_dir={train_dir}")
        secs = _run("train_image_classifier.py", arguments, output_dir)
        evaluations = output_dir / train_dir / "best" / "evaluations.json"
        accuracy = json.loads(evaluations.read_text())[-1]["accuracy"]
        outcomes[stage] = Outcome(output_dir / train_dir, accuracy, secs)
        start = (f"--checkpoint_path={train_dir}",)
    return outcomes


def evaluate(output_dir: pathlib.Path, train_dir: pathlib.Path) -> float:
    """Returns the accuracy that the evaluation script finds for a run's last step."""
    run_dir = train_dir.relative_to(output_dir)
    arguments = (
        *_DATA,
        "--dataset_split_name=validation",
        "--model_name=inception_v3",
        "--batch_size=16",
        f"--checkpoint_path={run_dir}",
        f"--eval_dir={run_dir}/eval",
    )
    _run("eval_image_classifier.py", arguments, output_dir)
    return json.loads((train_dir / "eval" / "metrics.json").read_text())["accuracy"]


def _run(script: str, arguments: Sequence[str], output_dir: pathlib.Path) -> float:
    """Runs a script in a folder, its log to the terminal; returns the seconds taken."""
    print(f"\n$ python {shlex.join([script, *arguments])}", flush=True)
    started_at = time.monotonic()
    command = [sys.executable, str(assets.ROOT / script), *arguments]
    status = subprocess.run(command, cwd=output_dir, check=False).returncode
    if status:
        raise UserError(f"{script} ended with status {status}, as said above.")
    return time.monotonic() - started_at


def table(outcomes: dict[str, dict[str, Outcome]]) -> str:
    """Returns what `run` returns as lines of text."""
    rows = [
        (weights, stage, f"{outcome.accuracy:.3f}", f"{outcome.secs:.0f}")
        for weights, stages in outcomes.items()
        for stage, outcome in stages.items()
    ]
    return text_table(("weights", "trained", "accuracy", "seconds"), rows)


def main() -> None:
    """Runs everything and prints a table."""
    output_dir = pathlib.Path(FLAGS.output_dir).absolute()
    output_dir.mkdir(parents=True, exist_ok=True)
    outcomes = run(output_dir)
    evaluate(output_dir, outcomes["published"]["mixed_7"].train_dir)
    print(table(outcomes))


if __name__ == "__main__":
    flags.DEFINE_string("output_dir", None, "Folder for the data set and the runs.")
    flags.mark_flags_as_required(["output_dir"])
    app.run(main)
