"""Every recipe runs, two steps a stage, on sketches of its nets and tiny images.

A sketch has one small layer for each block that recipes name, under the real scopes.
"""

import collections
import dataclasses
import functools
import json
import pathlib

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from checkpoints import scopes
from checkpoints.slim_format import write_checkpoint
from common.atomic_files import sha256
from config import flags
from config.fine_tune_config import FineTuneConfig
from config.train_config import TrainConfig
from datasets import dataset_json
from datasets.dataset_json import DatasetInfo, ShardInfo, SplitInfo
from fine_tuning import fine_tune, recipes, results
from fine_tuning.stage_commands import COMMANDS
from nets import nets_factory, slim
from nets.network import Network
from tests.engine import coloured_images, small_runs

RECIPES = pathlib.Path(__file__).parents[2] / "recipes"
VARIABLES = pathlib.Path(__file__).parents[1] / "nets" / "slim_variables.tsv"
SIZE = 16
BLOCKS = {
    "inception_v3": ("InceptionV3", ("Mixed_7a", "Mixed_7b", "Mixed_7c")),
    "mobilenet_v1": (
        "MobilenetV1",
        (
            *(
                "Conv2d_0",
                "Conv2d_9_pointwise",
                "Conv2d_10_pointwise",
                "Conv2d_11_pointwise",
            ),
            *("Conv2d_12_pointwise", "Conv2d_13_pointwise"),
        ),
    ),
}
SMALL = (
    *("--batch_size=4", "--num_preprocessing_threads=1", "--save_summaries_secs=0"),
    *("--recompute_batch_norm=false", f"--train_image_size={SIZE}"),
)
PATHS = sorted(RECIPES.glob("*.txt"))
# Of a stage's own flags those that two steps on tiny images have no room for.
TOO_LONG = ("max_number_of_epochs", "eval_every_n_steps", "train_image_size")
ABOVE = ("model_name", "checkpoint_path")  # in a section they would be refused


@functools.cache
def real_variables():
    """Names of the variables of all nets of slim, by net."""
    names = collections.defaultdict(list)
    for line in VARIABLES.read_text().splitlines():
        if not line.startswith("#"):
            net, name, *_ = line.split("\t")
            names[net].append(name)
    return names


def sketch(name):
    """The entry of a net with a convolution of four channels for each block."""
    root, blocks = BLOCKS[name]

    def build(images, num_classes, is_training, dropout_keep_prob=1.0):
        del dropout_keep_prob
        end_points = {}
        with (
            tf.compat.v1.variable_scope(root),
            slim.arg_scope([slim.batch_norm], is_training=is_training),
        ):
            net = images
            for block in blocks:
                net = slim.conv2d(net, 4, 1, normalizer_fn=slim.batch_norm, scope=block)
                end_points[block] = net
            net = tf.reduce_mean(net, [1, 2], keepdims=True)
            if num_classes:
                with slim.arg_scope([slim.conv2d], activation_fn=None):
                    net = slim.conv2d(net, num_classes, 1, scope="Logits")
                net = tf.squeeze(net, [1, 2])
        return net, end_points

    return dataclasses.replace(
        small_runs.NET_ENTRY,
        builder=build,
        arg_scope=lambda weight_decay: {},
        image_size=SIZE,
        head_scopes=(f"{root}/Logits",),
    )


@pytest.fixture(scope="module", autouse=True)
def sketches():
    """Sketches instead of the nets that recipes name."""
    with pytest.MonkeyPatch.context() as patch:
        for name in BLOCKS:
            patch.setitem(nets_factory.NETWORKS, name, sketch(name))
        patch.setitem(nets_factory.NETWORKS, "mobilenet_v1_025", sketch("mobilenet_v1"))
        # The whole command is tested in fine_tune_test.py: here it ends earlier.
        patch.setattr(results, "hand_out", lambda *_: None)
        yield


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """A data set in `data`, and photos of its classes without labels in `photos`."""
    folder = tmp_path_factory.mktemp("colors")
    small_runs.write_images(folder / "data")
    splits = {}
    for name, labels in (
        ("train", small_runs.COLOURS),
        ("validation", small_runs.COLOURS[:5]),
    ):
        paths = sorted((folder / "data").glob(f"*_{name}_*.tfrecord"))
        shards = tuple(
            ShardInfo(path.name, count, path.stat().st_size, sha256(str(path)))
            for path, count in zip(paths, (3, len(labels) - 3), strict=True)
        )
        splits[name] = SplitInfo(
            len(labels), tuple(np.bincount(labels).tolist()), shards
        )
    classes = ("red", "green", "blue")
    info = DatasetInfo(coloured_images.NAME, classes, splits)
    dataset_json.write(str(folder / "data"), info)
    (folder / "photos").mkdir()
    for number, name in enumerate(classes):
        pixels = np.zeros((8, 8, 3), np.uint8)
        pixels[..., number] = 180
        Image.fromarray(pixels).save(folder / "photos" / f"{name}.png")
    return folder


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory):
    """The path of a checkpoint of each sketch."""
    paths = {}
    for name in BLOCKS:
        network = Network(name, num_classes=5, image_size=SIZE)
        arrays = {n: v.numpy() for n, v in network.model_variables.items()}
        paths[name] = str(tmp_path_factory.mktemp("weights") / f"{name}.ckpt")
        write_checkpoint(paths[name], arrays)
    return paths


def shortened(stage):
    """A stage's section with two steps instead of its epochs."""
    config = COMMANDS[stage.command].config
    values = flags.values_of(config, stage.arguments)
    length = values.keys() & {"max_number_of_epochs"}
    values = {n: v for n, v in values.items() if n not in (*TOO_LONG, *ABOVE)}
    if length:
        values["max_number_of_steps"] = 2
    if values.get("warmup_epochs"):
        values["warmup_epochs"] = 0.1
    if "threshold" in values:
        values["threshold"] = 0.1  # of pseudo-labels, which so young a net is unsure of
    return "\n".join([f"[{stage.heading}]", *flags.as_arguments(values)])


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_a_recipe_runs(path, folders, checkpoints, tmp_path):
    stages = recipes.read(str(path))
    values = flags.values_of(
        TrainConfig, next(stage.arguments for stage in stages if stage.trains)
    )
    net = values["model_name"]
    start = values.get("checkpoint_path", checkpoints.get(net))
    recipe = tmp_path / "short.txt"
    above = f"--model_name={net} --checkpoint_path={start}"
    recipe.write_text("\n".join([above, *map(shortened, stages)]))
    options = [f"--recipe={recipe}", f"--output_dir={tmp_path / 'run'}", *SMALL]
    if any(stage.command == "pseudo_label" for stage in stages):
        options.append(f"--unlabeled_dir={folders / 'photos'}")
    config, given = flags.parse(FineTuneConfig, options)
    assert fine_tune.fine_tune(config, [str(folders / "data")], given=given) == 0
    state = json.loads((tmp_path / "run" / "fine_tune.json").read_text())
    names = [f"{i}-{stage.name}" for i, stage in enumerate(stages, 1)]
    assert state["finished"] == names


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_the_scopes_and_end_points_of_a_recipe_are_those_of_the_real_net(path):
    for stage in recipes.read(str(path)):
        if not stage.trains:
            continue
        values = flags.values_of(TrainConfig, stage.arguments)
        names = real_variables()[values["model_name"]]
        for flag in ("trainable_scopes", "checkpoint_exclude_scopes"):
            parsed = scopes.parse_scopes(values.get(flag), flag=flag)
            named = [scope for scope in parsed if scope != scopes.HEAD]
            assert all(
                scopes.select([scope], names, flag=flag, head_scopes=())
                for scope in named
            )
        if end_point := values.get("final_endpoint"):
            assert any(f"/{end_point}/" in name for name in names)
