"""Two steps with every optimizer and option, on one and two clones, in each precision.

`python -m tests.engine.step_options FILE` writes an archive `.npz` of what they gave,
keyed as `<clones>/<precision>/<case>/<when>/<variable>`; `when` is "before" or "after"
the steps, or "replica 1" for what the second device holds after them.

Each of two clones gets the very images that the one gets: they must agree with it,
batch norms that train included.
"""

import pathlib
import sys
import tempfile
from typing import Any

import numpy as np
import tensorflow as tf

from checkpoints import slim_format
from engine import devices
from nets import nets_factory, slim
from nets.network import COMPUTE_DTYPES, Network
from tests.engine import small_runs
from tests.engine.trainer import CLASSES, Trainer

IMAGES = 4  # of each clone in each step
STEPS = 2
SIDE = 8
_AVERAGED = {"moving_average_decay": 0.9}
_CLIPPED = {"clip_gradient_norm": 0.1}
_BY_SCOPE = {"learning_rate_multipliers": "Tiny/Conv2d_1=0.3,head=0.6"}
_FOCAL = {"focal_gamma": 2.0, "label_smoothing": 0.0}
_ACCUMULATED = {"gradient_accumulation_steps": 2, "batch_size": IMAGES // 2}
# Every optimizer, and every option with one of them.
CASES: dict[str, dict[str, Any]] = {
    "sgd": {"class_weights": "balanced"},
    "momentum": {**_ACCUMULATED, "layer_decay": 0.5},
    "rmsprop": {**_AVERAGED, **_BY_SCOPE},
    "adam": {**_CLIPPED, **_BY_SCOPE, "starting_point_decay": 0.5},
    "adagrad": {"mixup_alpha": 0.5, "class_weights": "effective"},
    "adadelta": {**_ACCUMULATED, **_AVERAGED, "class_weights": "balanced"},
    "ftrl": {**_ACCUMULATED, **_AVERAGED, **_CLIPPED, **_BY_SCOPE, **_FOCAL},
}


def _build(
    images: tf.Tensor, num_classes: int, is_training: bool
) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
    """A convolution with batch norm, and logits: little to trace."""
    with (
        tf.compat.v1.variable_scope("Tiny"),
        slim.arg_scope([slim.batch_norm], is_training=is_training),
    ):
        features = slim.conv2d(images, 4, 3, stride=2, scope="Conv2d_1")
        means = tf.reduce_mean(features, [1, 2], keepdims=True)
        with slim.arg_scope([slim.conv2d], activation_fn=None, normalizer_fn=None):
            logits = slim.conv2d(means, num_classes, 1, scope="Logits")
    return tf.squeeze(logits, [1, 2]), {"Conv2d_1": features}


def _data(clones: int) -> dict[str, np.ndarray]:
    generator = np.random.default_rng(0)
    images = generator.uniform(-1, 1, (STEPS, IMAGES, SIDE, SIDE, 3))
    labels = generator.integers(0, CLASSES, (STEPS, IMAGES))
    return {
        "image": np.concatenate([images] * clones, axis=1).astype(np.float32),
        "label": np.concatenate([labels] * clones, axis=1).astype(np.int32),
    }


def _train(
    strategy: tf.distribute.Strategy, precision: str, case: str
) -> dict[str, np.ndarray]:
    """What a case gives, by `<when>/<variable>`."""
    flags: dict[str, Any] = {
        "batch_size": IMAGES,
        "optimizer": case,
        "precision": precision,
    }
    flags |= CASES[case]
    with tempfile.TemporaryDirectory() as folder:
        if "starting_point_decay" in flags:
            flags["checkpoint_path"] = _write_checkpoint(folder)
        trainer = Trainer(
            pathlib.Path(folder, "run"), strategy=strategy, image_size=SIDE, **flags
        )
    clones = strategy.num_replicas_in_sync
    (totals,) = trainer.run(_data(clones), [STEPS])
    found = {f"before/{n}": value for n, value in trainer.fresh.items()}
    found |= {f"after/{n}": value for n, value in trainer.values().items()}
    found["after/total_loss"] = totals["total_loss"]
    for name, variable in trainer.state.trained.items():
        of_last = strategy.experimental_local_results(variable)[-1]
        found[f"replica {clones - 1}/{name}"] = of_last.numpy()
    return found


def _write_checkpoint(folder: str) -> str:
    """A checkpoint that a run may start from; its values do not matter here."""
    network = Network(small_runs.NET, num_classes=CLASSES, image_size=SIDE)
    values = {name: v.numpy() for name, v in network.model_variables.items()}
    slim_format.write_checkpoint(f"{folder}/start.ckpt", values)
    return f"{folder}/start.ckpt"


def main(path: pathlib.Path) -> None:
    """Writes what the module says."""
    nets_factory.NETWORKS[small_runs.NET] = nets_factory.NetEntry(
        builder=_build,
        arg_scope=small_runs.NET_ENTRY.arg_scope,
        image_size=SIDE,
        head_scopes=("Tiny/Logits",),
        preprocessing="inception",
    )
    strategies = {
        2: devices.make_strategy(2, on_cpu=True),
        1: tf.distribute.OneDeviceStrategy("/CPU:0"),
    }
    found: dict[str, Any] = {
        f"{clones}/{precision}/{case}/{key}": value
        for clones, strategy in strategies.items()
        for precision in COMPUTE_DTYPES
        for case in CASES
        for key, value in _train(strategy, precision, case).items()
    }
    np.savez(path, **found)


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
