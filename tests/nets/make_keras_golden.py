"""Writes `golden/xception.json` and its rows, from Keras.

  python tests/nets/make_keras_golden.py

Keras' own net runs with the weights that recipe.py gives for slim's names. Nothing of
`nets` is imported. make_golden.py says what a golden holds.
"""

import hashlib
import json
import pathlib
import sys
from typing import Any

import keras
import numpy as np

sys.path.insert(0, str(pathlib.Path(__file__).parents[2]))
from tests.nets import recipe

FOLDER = pathlib.Path(__file__).parent
NET, IMAGE_SIZE, OTHER_SIZE = "xception", 299, 97
WEIGHT_DECAY = 0.00004
STRIDED = (2, 3, 4, 13)
SEPARABLE = {**dict.fromkeys(STRIDED, 2), **dict.fromkeys(range(5, 13), 3)}
END_POINTS = {
    "conv1": "block1_conv1_act",
    "conv2": "block1_conv2_act",
    **{f"block{b}": f"add_{b}" for b in range(2, 14)},
    "separable_conv1": "block14_sepconv1_act",
    "separable_conv2": "block14_sepconv2_act",
    "global_pool": "avg_pool",
    "Logits": "predictions",
}


def main() -> None:
    """Writes the golden and the rows."""
    model = _built(1000, IMAGE_SIZE)
    golden = _measure(model)
    text = json.dumps(golden, separators=(",", ":"))
    (FOLDER / "golden" / f"{NET}.json").write_text(text + "\n")
    path = FOLDER / "slim_variables.tsv"
    lines = path.read_text().splitlines()
    kept = [line for line in lines if line.partition("\t")[0] != NET]
    rows = [f"{NET}\t{row}" for row in _rows(_variables(_built(1001, IMAGE_SIZE)))]
    path.write_text("\n".join(kept + rows) + "\n")


def _built(classes: int, size: int) -> keras.Model:
    keras.backend.clear_session()  # numbers of layers begin anew
    return keras.applications.Xception(
        weights=None,
        classes=classes,
        classifier_activation=None,
        input_shape=(size, size, 3),
    )


def _layers() -> list[tuple[str, str, str]]:
    """(slim's scope, Keras' layer, its batch norm), in slim's order."""
    found = [(f"conv{i}", f"block1_conv{i}", f"block1_conv{i}_bn") for i in (1, 2)]
    shortcut = 0
    for block in range(2, 14):
        for number in range(1, SEPARABLE[block] + 1):
            theirs = f"block{block}_sepconv{number}"
            ours = f"block{block}/separable_conv{number}"
            found.append((ours, theirs, f"{theirs}_bn"))
        if block in STRIDED:
            suffix = f"_{shortcut}" if shortcut else ""
            names = (f"conv2d{suffix}", f"batch_normalization{suffix}")
            found.append((f"block{block}/shortcut", *names))
            shortcut += 1
    for number in (1, 2):
        theirs = f"block14_sepconv{number}"
        found.append((f"separable_conv{number}", theirs, f"{theirs}_bn"))
    return [*found, ("Logits", "predictions", "")]


def _variables(model: keras.Model) -> dict[str, Any]:
    """Keras' variables by slim's names."""
    variables: dict[str, Any] = {}
    for scope, name, norm in _layers():
        layer = model.get_layer(name)
        if hasattr(layer, "pointwise_kernel"):
            variables[f"{NET}/{scope}/depthwise_weights"] = layer.depthwise_kernel
            variables[f"{NET}/{scope}/pointwise_weights"] = layer.pointwise_kernel
        else:
            variables[f"{NET}/{scope}/weights"] = layer.kernel
        if not norm:
            variables[f"{NET}/{scope}/biases"] = layer.bias
            continue
        for kind in ("gamma", "beta", "moving_mean", "moving_variance"):
            values = getattr(model.get_layer(norm), kind)
            variables[f"{NET}/{scope}/BatchNorm/{kind}"] = values
    return variables


def _rows(variables: dict[str, Any]) -> list[str]:
    return [
        "\t".join(
            [
                name,
                "x".join(map(str, values.shape)),
                "N" if "/moving_" in name else "T",
                "R" if name.endswith("weights") else "-",
            ]
        )
        for name, values in variables.items()
    ]


def _measure(model: keras.Model) -> dict[str, Any]:
    sha256, penalty = hashlib.sha256(), 0.0
    variables = _variables(model)
    for name, variable in variables.items():
        values = recipe.weights(name, tuple(variable.shape))
        sha256.update(values.tobytes())
        if name.endswith("weights"):
            squares = float(np.sum(values.astype(np.float64) ** 2))
            penalty += WEIGHT_DECAY * squares / 2
        variable.assign(values)
    images = recipe.images(IMAGE_SIZE)
    adds = [la for la in model.layers if isinstance(la, keras.layers.Add)]
    layers = [
        adds[int(name[4:]) - 2] if name.startswith("add_") else model.get_layer(name)
        for name in END_POINTS.values()
    ]
    found = keras.Model(model.input, [layer.output for layer in layers])(images)
    end_points = dict(zip(END_POINTS, map(np.array, found), strict=True))
    logits = end_points["Logits"]
    end_points["Predictions"] = np.array(keras.ops.softmax(logits))
    smaller = _built(1000, OTHER_SIZE)
    smaller.set_weights(model.get_weights())
    there = np.array(smaller(recipe.images(OTHER_SIZE)))
    return {
        "other_size": {"image_size": OTHER_SIZE, "logits": _figures(there)},
        "num_classes": 1000,
        "image_size": IMAGE_SIZE,
        "input_sha256": hashlib.sha256(images.tobytes()).hexdigest(),
        "weights_sha256": sha256.hexdigest(),
        "logits": _figures(logits),
        "end_points": [
            [key, list(value.shape), float(f"{np.linalg.norm(np.float64(value)):.9g}")]
            for key, value in end_points.items()
        ],
        "training": {
            "num_regularization_losses": sum(n.endswith("weights") for n in variables),
            "regularization_sum": penalty,
            "num_update_ops": sum("/moving_" in name for name in variables),
        },
    }


def _figures(logits: np.ndarray) -> dict[str, Any]:
    top = np.sort(logits)[:, -2:]
    return {
        "first16": [[float(x) for x in row[:16]] for row in logits],
        "max_abs": float(np.abs(logits).max()),
        "argmax": logits.argmax(1).tolist(),
        "top2_gap": [float(second - first) for first, second in top],
    }


if __name__ == "__main__":
    main()
