"""Writes `golden/<net>.json`, the facts that nets_golden_test.py compares with.

  python tests/nets/make_golden.py --slim_facts=DIR vgg_16 resnet_v1_50
  python tests/nets/make_golden.py inception_v3_narrow

With `--slim_facts`: condenses measurements of the original research/slim (state of
2021-09-09, run in graph mode on TensorFlow 2.21.0 and tf-slim 1.1.0), a file
DIR/<net>.json for each net. The test needs a part of what they hold.

Without it: measures a net that research/slim has no name for. tf_slim's own builder
runs in a graph and a session as in TensorFlow 1; nothing of `nets` is imported, so
that the golden is not the tested code's own opinion. The rows of the net in
`slim_variables.tsv` are written, too. (Proof of the method: inception_v3 measured so
equals its measurement in research/slim to the last bit.)

Input and weights are those of recipe.py. A golden holds:

  num_classes, image_size
  input_sha256, weights_sha256   of the float32 bytes; weights in order of creation
  logits      first16 of each image, max_abs, argmax and top2_gap of each image
  end_points  [key, shape, L2 norm in float64 over both images]
  training    at weight decay 0.00004: num_regularization_losses, their sum,
              num_update_ops
"""

import functools
import hashlib
import importlib
import itertools
import json
import pathlib
import pkgutil
import sys
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import tensorflow as tf
from absl import flags

from config import app
from errors import UserError
from tests.nets import recipe

FOLDER = pathlib.Path(__file__).parent
VARIABLES_TSV = FOLDER / "slim_variables.tsv"
WEIGHT_DECAY = 0.00004

_SLIM_FACTS = flags.DEFINE_string(
    "slim_facts",
    None,
    "Folder with the measurements of research/slim, one <net>.json each. Without it"
    " the nets are measured here.",
)


def main(nets: list[str]) -> None:
    """Writes one golden for each net."""
    for net in nets:
        if _SLIM_FACTS.value:
            facts = pathlib.Path(_SLIM_FACTS.value, f"{net}.json")
            golden = condense(json.loads(facts.read_text()))
        else:
            golden, rows = measure(net)
            _replace_rows(net, rows)
        text = json.dumps(golden, separators=(",", ":"))
        (FOLDER / "golden" / f"{net}.json").write_text(text + "\n")


def condense(facts: dict[str, Any]) -> dict[str, Any]:
    """The part of research/slim's measurements that the test needs."""
    logits, training = facts["logits"], facts["training"]
    return {
        "num_classes": facts["num_classes"],
        "image_size": facts["image_size_used"],
        "input_sha256": facts["input_sha256"],
        "weights_sha256": facts["weights_sha256"],
        "logits": {
            key: logits[key] for key in ("first16", "max_abs", "argmax", "top2_gap")
        },
        "end_points": [
            [point["key"], point["shape"], _digits(point["l2"])]
            for point in facts["end_points"]
        ],
        "training": {
            key: training[key]
            for key in (
                "num_regularization_losses",
                "regularization_sum",
                "num_update_ops",
            )
        },
    }


def measure(net: str) -> tuple[dict[str, Any], list[str]]:
    """Runs tf_slim's builder of `net` as in TensorFlow 1.

    Returns:
      The golden, and the net's rows of slim_variables.tsv.

    Raises:
      UserError: no recipe to build `net`.
    """
    tf.compat.v1.disable_v2_behavior()
    builders = _builders()
    if net not in builders:
        raise UserError(
            f"{net}: cannot be measured without --slim_facts, only {list(builders)} can"
        )
    builder, image_size = builders[net]
    evaluation = _evaluate(builder, image_size, num_classes=1001)
    training, rows = _train(builder, image_size, num_classes=1001)
    golden = {"num_classes": 1001, "image_size": image_size, **evaluation}
    return golden | {"training": training}, [f"{net}\t{row}" for row in rows]


def _builders() -> dict[str, tuple[Callable[..., Any], int]]:
    """Net to (images, num_classes, is_training, weight_decay) -> logits, and size."""
    # tf_slim looks for these modules where older releases of tf_keras kept them.
    legacy = importlib.import_module("tf_keras.src.legacy_tf_layers")
    sys.modules["tf_keras.legacy_tf_layers"] = legacy
    for module in pkgutil.iter_modules(legacy.__path__):
        sys.modules[f"tf_keras.legacy_tf_layers.{module.name}"] = (
            importlib.import_module(f"{legacy.__name__}.{module.name}")
        )
    import tf_slim
    from tf_slim.nets import inception

    def inception_v3(images, *, weight_decay, depth_multiplier, **options):
        arg_scope = inception.inception_v3_arg_scope(weight_decay=weight_decay)
        with tf_slim.arg_scope(arg_scope):
            logits, end_points = inception.inception_v3(
                images, depth_multiplier=depth_multiplier, **options
            )
        # The one end point of research/slim that tf_slim does not name.
        pools = [
            op
            for op in logits.graph.get_operations()
            if op.name.startswith("InceptionV3/Logits/AvgPool") and op.type == "AvgPool"
        ]
        return logits, {**end_points, "AvgPool_1a": pools[0].outputs[0]}

    return {
        "inception_v3": (functools.partial(inception_v3, depth_multiplier=1.0), 299),
        "inception_v3_narrow": (
            functools.partial(inception_v3, depth_multiplier=0.25),
            128,
        ),
    }


def _evaluate(
    builder: Callable[..., Any], image_size: int, num_classes: int
) -> dict[str, Any]:
    images = recipe.images(image_size)
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        logits, end_points = builder(
            tf.constant(images),
            num_classes=num_classes,
            is_training=False,
            weight_decay=0.0,
        )
        sha256 = _assign(session)
        logits, end_points = session.run([logits, end_points])
    top = np.sort(logits)[:, -2:]
    return {
        "input_sha256": hashlib.sha256(images.tobytes()).hexdigest(),
        "weights_sha256": sha256,
        "logits": {
            "first16": [[float(x) for x in row[:16]] for row in logits],
            "max_abs": float(np.abs(logits).max()),
            "argmax": logits.argmax(axis=1).tolist(),
            "top2_gap": [float(second - first) for first, second in top],
        },
        "end_points": [
            [
                key,
                list(value.shape),
                _digits(float(np.linalg.norm(value.astype(np.float64)))),
            ]
            for key, value in end_points.items()
        ],
    }


def _train(
    builder: Callable[..., Any], image_size: int, num_classes: int
) -> tuple[dict[str, Any], list[str]]:
    keys = tf.compat.v1.GraphKeys
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        builder(
            tf.constant(recipe.images(image_size)),
            num_classes=num_classes,
            is_training=True,
            weight_decay=WEIGHT_DECAY,
        )
        losses = tf.compat.v1.get_collection(keys.REGULARIZATION_LOSSES)
        updates = tf.compat.v1.get_collection(keys.UPDATE_OPS)
        trainable = {v.op.name for v in tf.compat.v1.trainable_variables()}
        regularized = set(itertools.chain.from_iterable(map(_variables_of, losses)))
        rows = [
            "\t".join(
                [
                    variable.op.name,
                    "x".join(map(str, variable.shape.as_list())),
                    "T" if variable.op.name in trainable else "N",
                    "R" if variable.op.name in regularized else "-",
                ]
            )
            for variable in _model_variables()
        ]
        _assign(session)
        total = sum(map(float, session.run(losses)))
    training = {
        "num_regularization_losses": len(losses),
        "regularization_sum": total,
        "num_update_ops": len(updates),
    }
    return training, rows


def _model_variables() -> list[tf.Variable]:
    return tf.compat.v1.get_collection(tf.compat.v1.GraphKeys.MODEL_VARIABLES)


def _assign(session: tf.compat.v1.Session) -> str:
    """Gives the graph's variables the recipe's values; the SHA-256 of all of them."""
    sha256 = hashlib.sha256()
    for variable in _model_variables():
        values = recipe.weights(variable.op.name, tuple(variable.shape.as_list()))
        variable.load(values, session)
        sha256.update(values.tobytes())
    return sha256.hexdigest()


def _variables_of(tensor: tf.Tensor) -> Iterable[str]:
    """Names of the variables that a tensor is computed from."""
    ops = [tensor.op]
    while ops:
        op = ops.pop()
        if op.type in ("VariableV2", "VarHandleOp"):
            yield op.name
        ops += [operand.op for operand in op.inputs]


def _replace_rows(net: str, rows: list[str]) -> None:
    lines = VARIABLES_TSV.read_text().splitlines()
    kept = [line for line in lines if not line.startswith(f"{net}\t")]
    VARIABLES_TSV.write_text("\n".join(kept + rows) + "\n")


def _digits(value: float) -> float:
    """Nine digits, the most that float32 activations can justify."""
    return float(f"{value:.9g}")


if __name__ == "__main__":
    app.run(main, positional="NET…")
