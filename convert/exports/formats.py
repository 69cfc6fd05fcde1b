"""The formats of exports: how each is written, and run again."""

import dataclasses
import importlib
import importlib.util
import warnings
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.lite.python import schema_py_generated as schema
from tensorflow.lite.tools import flatbuffer_utils

from convert.exports import graphs, saved_model
from engine.restored.classifier import Classifier
from errors import UserError

INT8_IO = ("int8", "uint8", "float32")


@dataclasses.dataclass(frozen=True)
class Job:
    """What to export, and how.

    Attributes:
      classifier: the net, its weights, preprocessing and classes.
      batch_size: the batch size of the graphs; None is any size, and 1 in TFLite.
      samples: returns preprocessed images, [size, size, channels] each, that calibrate
        int8.
      int8_io: type of the int8 model's images and probabilities, one of `INT8_IO`.
    """

    classifier: Classifier
    batch_size: int | None = None
    samples: Callable[[], Iterable[np.ndarray]] = tuple
    int8_io: str = "int8"


@dataclasses.dataclass(frozen=True)
class Format:
    """A format of exports.

    Attributes:
      file: its name in the output folder; for a SavedModel that of a folder.
      write: writes it to a path.
      run: (path, preprocessed images [batch, size, size, channels]) → probabilities;
        None for the one that takes photos.
      takes: describes the input of an export at a path.
      limit: largest difference of a probability from the checkpoint's for a format that
        rounds; None if only `--max_difference` applies.
      has_float16_weights: whether it must match, to `--max_difference`, the float32
        TFLite model with weights rounded to float16.
    """

    file: str
    write: Callable[[Job, str], None]
    run: Callable[[str, np.ndarray], np.ndarray] | None
    takes: Callable[[str], str]
    limit: float | None = None
    has_float16_weights: bool = False


def write_saved_model(job: Job, path: str) -> None:
    """Writes a SavedModel that takes photos."""
    saved_model.write(job.classifier, path)


def _write_bytes(path: str, content: bytes) -> None:
    with open(path, "wb") as file:
        file.write(content)


def _function(job: Job, batch_size: int | None) -> tf.types.experimental.Callable:
    """The net from preprocessed images to probabilities, for converters."""
    shape = (batch_size, *job.classifier.network.input_shape)
    spec = tf.TensorSpec(shape, tf.float32, graphs.INPUT)
    return tf.function(job.classifier.probabilities, input_signature=[spec])


def _converter(job: Job) -> tf.lite.TFLiteConverter:
    function = _function(job, job.batch_size or 1).get_concrete_function()
    return tf.lite.TFLiteConverter.from_concrete_functions(
        [function], job.classifier.network
    )


def write_tflite(job: Job, path: str) -> None:
    """Writes a TFLite model with float32 weights."""
    _write_bytes(path, _converter(job).convert())


def write_tflite_float16(job: Job, path: str) -> None:
    """Writes a TFLite model with float16 weights, at half the size."""
    converter = _converter(job)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.target_spec.supported_types = [tf.float16]
    _write_bytes(path, converter.convert())


def round_to_float16(path: str) -> None:
    """Rounds the weights of a float32 TFLite model to float16, stored as float32."""
    model = flatbuffer_utils.read_model(path)
    for tensor in model.subgraphs[0].tensors:
        content = model.buffers[tensor.buffer]
        if tensor.type == schema.TensorType.FLOAT32 and content.data is not None:
            weights = np.asarray(content.data, np.uint8).view(np.float32)
            content.data = weights.astype(np.float16).astype(np.float32).view(np.uint8)
    flatbuffer_utils.write_model(model, path)


def write_tflite_int8(job: Job, path: str) -> None:
    """Writes a TFLite model that computes with int8, at a quarter of the size.

    The values' ranges come from `job.samples`; images and probabilities have the type
    `job.int8_io`.
    """
    num_images = job.batch_size or 1

    def samples() -> Iterable[list[np.ndarray]]:
        for image in job.samples():
            yield [np.repeat(image[np.newaxis], num_images, axis=0)]

    converter = _converter(job)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = samples
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    io_type = tf.as_dtype(job.int8_io)
    converter.inference_input_type = converter.inference_output_type = io_type
    _write_bytes(path, converter.convert())


def run_tflite(path: str, images: np.ndarray) -> np.ndarray:
    """Probabilities of a TFLite model, in batches of its size."""
    interpreter = _interpreter(path)
    (source,), (target,) = (
        interpreter.get_input_details(),
        interpreter.get_output_details(),
    )
    results = []
    for batch in _batches(images, source["shape"][0]):
        interpreter.set_tensor(source["index"], _quantized(batch, source))
        interpreter.invoke()
        results.append(_real(interpreter.get_tensor(target["index"]), target))
    return np.concatenate(results)[: len(images)]


def _interpreter(path: str) -> tf.lite.Interpreter:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # about a newer package
        interpreter = tf.lite.Interpreter(path)
    interpreter.allocate_tensors()
    return interpreter


def tflite_takes(path: str) -> str:
    """A description of a TFLite model's input."""
    (source,) = _interpreter(path).get_input_details()
    name = np.dtype(source["dtype"]).name
    takes = f"preprocessed images {source['shape'].tolist()} as {name}"
    if source["dtype"] == np.float32:
        return takes
    scale, zero = source["quantization"]
    return f"{takes}: a preprocessed value is {scale:.6g} × (number − {zero})"


def _quantized(values: np.ndarray, details: dict) -> np.ndarray:
    if details["dtype"] == np.float32:
        return values
    scale, zero = details["quantization"]
    limits = np.iinfo(details["dtype"])
    levels = np.clip(np.round(values / scale + zero), limits.min, limits.max)
    return levels.astype(details["dtype"])


def _real(values: np.ndarray, details: dict) -> np.ndarray:
    if details["dtype"] == np.float32:
        return values
    scale, zero = details["quantization"]
    return (values.astype(np.float32) - zero) * scale


def _batches(images: np.ndarray, size: int) -> Iterable[np.ndarray]:
    """Batches of one size; the last one is padded with its last image."""
    for start in range(0, len(images), size):
        batch = images[start : start + size]
        yield np.pad(batch, [(0, size - len(batch)), *[(0, 0)] * 3], mode="edge")


def write_frozen_graph(job: Job, path: str) -> None:
    """Writes a frozen GraphDef of TensorFlow 1."""
    _write_bytes(path, graphs.frozen_graph(job.classifier, job.batch_size))


def run_frozen_graph(path: str, images: np.ndarray) -> np.ndarray:
    """Probabilities of a frozen GraphDef, by a softmax if it returns logits."""
    definition = tf.compat.v1.GraphDef()
    with open(path, "rb") as file:
        definition.ParseFromString(file.read())
    output = graphs.predictions_node(definition)
    with tf.Graph().as_default() as graph:
        tf.import_graph_def(definition, name="")
        source = graph.get_tensor_by_name(f"{graphs.INPUT}:0")
        target = graph.get_tensor_by_name(f"{output}:0")
        if not any(node.op == "Softmax" for node in definition.node):
            target = tf.nn.softmax(target)
        size = source.shape[0] or len(images)
        with tf.compat.v1.Session(graph=graph) as session:
            results = [
                session.run(target, {source: batch}) for batch in _batches(images, size)
            ]
    return np.concatenate(results)[: len(images)]


def require_onnx() -> None:
    """Raises a `UserError` unless the packages that ONNX needs are installed."""
    for package in ("tf2onnx", "onnxruntime"):
        if importlib.util.find_spec(package) is None:
            raise UserError(
                f"--formats=onnx needs the package {package}, which is not installed:"
                " run `python -m pip install tf2onnx==1.17.0 onnxruntime`, or omit onnx"
            )


def write_onnx(job: Job, path: str) -> None:
    """Writes an ONNX model with operator set 17, for NHWC images as in TensorFlow."""
    tf2onnx = importlib.import_module("tf2onnx")
    function = _function(job, job.batch_size)
    tf2onnx.convert.from_function(
        function,
        input_signature=function.input_signature,
        opset=17,
        custom_op_handlers={"Erfc": (_onnx_erfc, [])},
        output_path=path,
    )


def _onnx_erfc(graph: Any, node: Any, name: str, _: Sequence[Any]) -> None:
    """Replaces TensorFlow's Erfc, of GELU, which tf2onnx lacks, by ONNX's 1 - Erf."""
    output = node.output[0]
    shape, dtype = graph.get_shape(output), graph.get_dtype(output)
    one = graph.make_const(f"{name}/one", np.float32(1)).output[0]
    erf = graph.make_node("Erf", node.input, shapes=[shape], dtypes=[dtype]).output[0]
    graph.remove_node(name)
    graph.make_node("Sub", [one, erf], outputs=[output], shapes=[shape], dtypes=[dtype])


def run_onnx(path: str, images: np.ndarray) -> np.ndarray:
    """Probabilities of an ONNX model."""
    onnxruntime = importlib.import_module("onnxruntime")
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    (source,) = session.get_inputs()
    size = source.shape[0] if isinstance(source.shape[0], int) else len(images)
    results = [
        session.run(None, {source.name: batch})[0] for batch in _batches(images, size)
    ]
    return np.concatenate(results)[: len(images)]


def _images_taken(_: str) -> str:
    return (
        "preprocessed float32 images: photos decoded, rotated as EXIF says and"
        " preprocessed"
    )


FORMATS = {
    "saved_model": Format(
        "saved_model", write_saved_model, None, lambda _: saved_model.TAKES
    ),
    "tflite": Format("model.tflite", write_tflite, run_tflite, tflite_takes),
    "tflite_float16": Format(
        *("model_float16.tflite", write_tflite_float16, run_tflite, tflite_takes),
        limit=0.05,
        has_float16_weights=True,
    ),
    "tflite_int8": Format(
        *("model_int8.tflite", write_tflite_int8, run_tflite, tflite_takes), limit=1.0
    ),
    "onnx": Format("model.onnx", write_onnx, run_onnx, _images_taken),
    "frozen_graph": Format(
        "frozen_graph.pb", write_frozen_graph, run_frozen_graph, _images_taken
    ),
}
