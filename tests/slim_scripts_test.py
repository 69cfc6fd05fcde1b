"""The commands of slim's shell scripts, flag for flag, up to their first step."""

import pathlib
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

from checkpoints import slim_format
from config.eval_config import EvalConfig
from config.train_config import TrainConfig
from convert.exports.options import ExportConfig
from datasets import dataset_utils
from engine import evaluate, train_loop
from errors import UserError
from tests.config import conftest
from tests.engine import small_runs

define = conftest.command_line  # a fixture
ROOT = pathlib.Path(__file__).resolve().parents[1]
SHAPES = ROOT / "tests" / "nets" / "slim_variables.tsv"

COMMON = "--log_every_n_steps=100 --save_interval_secs=60 --save_summaries_secs=60"
RMSPROP = f"{COMMON} --optimizer=rmsprop --weight_decay=0.00004 --batch_size=32"
FIXED = "--learning_rate_decay_type=fixed"
# By script: net, data set, evaluation split, flags of each training. The second one
# starts from the first one's folder and trains all variables.
SCRIPTS = {
    "train_lenet_on_mnist": (
        "lenet",
        "mnist",
        "test",
        [
            "--preprocessing_name=lenet --max_number_of_steps=20000 --batch_size=50"
            f" --learning_rate=0.01 {COMMON} --optimizer=sgd {FIXED} --weight_decay=0"
        ],
    ),
    "train_cifarnet_on_cifar10": (
        "cifarnet",
        "cifar10",
        "test",
        [
            "--preprocessing_name=cifarnet --max_number_of_steps=100000"
            " --batch_size=128 --save_interval_secs=120 --save_summaries_secs=120"
            " --log_every_n_steps=100 --optimizer=sgd --learning_rate=0.1"
            " --learning_rate_decay_factor=0.1 --num_epochs_per_decay=200"
            " --weight_decay=0.004"
        ],
    ),
    "finetune_inception_v1_on_flowers": (
        "inception_v1",
        "flowers",
        "validation",
        [
            "--checkpoint_exclude_scopes=InceptionV1/Logits"
            " --trainable_scopes=InceptionV1/Logits --max_number_of_steps=3000"
            f" --learning_rate=0.01 {RMSPROP}",
            f"--max_number_of_steps=1000 --learning_rate=0.001 {RMSPROP}",
        ],
    ),
    "finetune_inception_v3_on_flowers": (
        "inception_v3",
        "flowers",
        "validation",
        [
            "--checkpoint_exclude_scopes=InceptionV3/Logits,InceptionV3/AuxLogits"
            " --trainable_scopes=InceptionV3/Logits,InceptionV3/AuxLogits"
            f" --max_number_of_steps=1000 --learning_rate=0.01 {FIXED} {RMSPROP}",
            f"--max_number_of_steps=500 --learning_rate=0.0001 {FIXED} {RMSPROP}",
        ],
    ),
    "finetune_inception_resnet_v2_on_flowers": (
        "inception_resnet_v2",
        "flowers",
        "validation",
        [
            "--checkpoint_exclude_scopes=InceptionResnetV2/Logits,"
            "InceptionResnetV2/AuxLogits --trainable_scopes=InceptionResnetV2/Logits,"
            f"InceptionResnetV2/AuxLogits --max_number_of_steps=1000 {FIXED}"
            f" --learning_rate=0.01 {RMSPROP}",
            f"--max_number_of_steps=500 --learning_rate=0.0001 {FIXED} {RMSPROP}",
        ],
    ),
    "finetune_resnet_v1_50_on_flowers": (
        "resnet_v1_50",
        "flowers",
        "validation",
        [
            "--checkpoint_exclude_scopes=resnet_v1_50/logits"
            " --trainable_scopes=resnet_v1_50/logits --max_number_of_steps=3000"
            f" --learning_rate=0.01 {RMSPROP}",
            f"--max_number_of_steps=1000 --learning_rate=0.001 {RMSPROP}",
        ],
    ),
}
FROM_SCRATCH = [name for name in SCRIPTS if name.startswith("train")]
FINE_TUNING = [name for name in SCRIPTS if name.startswith("finetune")]
FILES = {
    "mnist": ("mnist_{}.tfrecord", ("train", "test"), (28, 28, 1), 10),
    "cifar10": ("cifar10_{}.tfrecord", ("train", "test"), (32, 32, 3), 10),
    "flowers": (
        "flowers_{}_00000-of-00001.tfrecord",
        ("train", "validation"),
        (40, 50, 3),
        5,
    ),
}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """From a data set's name to a folder with four images of each class."""
    folder = tmp_path_factory.mktemp("data")
    generator = np.random.default_rng(0)
    for pattern, splits, shape, num_classes in FILES.values():
        for split in splits:
            with tf.io.TFRecordWriter(str(folder / pattern.format(split))) as writer:
                for label in [*range(num_classes)] * 4:
                    pixels = generator.integers(0, 255, shape, np.uint8)
                    example = dataset_utils.image_to_tfexample(
                        tf.io.encode_png(pixels).numpy(), b"png", *shape[:2], label
                    )
                    writer.write(example.SerializeToString())
    return folder


def read(define, config, *words):
    """The record that a command line gives; `define` is the fixture."""
    flags = " ".join(map(str, words)).split()
    # Of a flag that a script gives twice, the last holds, as for absl.
    return define(config).read(*flags)


def train_words(name, phase, data, train_dir, *more):
    net, dataset, _, phases = SCRIPTS[name]
    return [
        f"--train_dir={train_dir} --dataset_name={dataset} --dataset_split_name=train",
        f"--dataset_dir={data} --model_name={net}",
        phases[phase],
        *more,
    ]


@pytest.mark.parametrize("name", FROM_SCRATCH)
def test_a_training_from_scratch_makes_its_first_step_and_is_evaluated(
    name, data, tmp_path, define, capsys
):
    run = tmp_path / "run"
    words = train_words(name, 0, data, run, "--max_number_of_steps=1")
    assert train_loop.train(read(define, TrainConfig, *words)) == 0
    assert small_runs.steps_saved(run) == [1]

    net, dataset, split, _ = SCRIPTS[name]
    words = [
        f"--checkpoint_path={run} --eval_dir={run} --dataset_name={dataset}",
        f"--dataset_split_name={split} --dataset_dir={data} --model_name={net}",
    ]
    line = define(EvalConfig)
    config = line.read(*" ".join(words).split())
    given = {word.split("=")[0].lstrip("-") for word in " ".join(words).split()}
    assert evaluate.evaluate(config, given=given) == 0
    assert "40 images" in capsys.readouterr().out


@pytest.mark.parametrize("name", FINE_TUNING)
def test_a_fine_tuning_is_planned_in_both_its_phases(name, data, tmp_path, define):
    net = SCRIPTS[name][0]
    published = tmp_path / f"{net}.ckpt"
    slim_format.write_checkpoint(str(published), variables(net, 1001))
    start = f"--checkpoint_path={published} --dry_run"
    words = train_words(name, 0, data, tmp_path / "run", start)
    assert train_loop.train(read(define, TrainConfig, *words)) == 0

    first = tmp_path / "first"
    slim_format.write_checkpoint(str(first / "model.ckpt-3"), variables(net, 5))
    start = f"--checkpoint_path={first} --dry_run"
    words = train_words(name, 1, data, tmp_path / "run" / "all", start)
    assert train_loop.train(read(define, TrainConfig, *words)) == 0


def variables(net, num_classes):
    """Zeros for the variables of a net as slim has them."""
    found = {}
    for line in SHAPES.read_text("utf-8").splitlines():
        if line.startswith(f"{net}\t"):
            _, name, shape, *_ = line.split("\t")
            sides = [int(side) for side in shape.split("x") if side.isdecimal()]
            sides = [num_classes if side == 1001 else side for side in sides]
            found[name] = np.zeros(sides, np.float32)
    return found


def script(name, *arguments):
    """What a script at the top says, and its exit status."""
    done = subprocess.run(
        [sys.executable, str(ROOT / name), *arguments],
        check=False,
        capture_output=True,
        text=True,
    )
    return done.returncode, done.stdout + done.stderr


def test_an_inference_graph_is_exported_from_the_top(tmp_path):
    path = tmp_path / "graph.pb"
    status, said = script(
        "export_inference_graph.py",
        "--alsologtostderr",
        "--model_name=lenet",
        "--dataset_name=mnist",  # whose classes need no file
        "--image_size=28",
        "--is_video_model=false",
        f"--output_file={path}",
    )
    assert status == 0, said
    graph = tf.compat.v1.GraphDef.FromString(path.read_bytes())
    (head,) = [n for n in graph.node if n.name == "LeNet/fc4/biases"]
    assert [d.size for d in head.attr["shape"].shape.dim] == [10]


@pytest.mark.parametrize(
    ("flag", "message"),
    [
        ("--is_video_model", "--is_video_model and --num_frames are refused"),
        ("--num_frames=8", "--is_video_model and --num_frames are refused"),
    ],
)
def test_graphs_for_video_are_refused_by_name(flag, message, define):
    with pytest.raises(UserError, match=message):
        read(define, ExportConfig, "--model_name=lenet --output_file=g.pb", flag)


def test_data_sets_are_converted_from_the_top():
    status, said = script("download_and_convert_data.py", "--dataset_name=flower")
    assert status == 2
    assert "--dataset_dir" in said
