"""The files that a classifier is exported to: how each is written, and run again."""

import dataclasses
import importlib
import importlib.util
from collections.abc import Callable, Iterable

import numpy as np
import tensorflow as tf
from tensorflow.lite.python import schema_py_generated as schema
from tensorflow.lite.tools import flatbuffer_utils

from convert import export_graph
from engine.classifier import Classifier
from errors import UserError

TOP_K = 5


@dataclasses.dataclass(frozen=True)
class Job:
    """What the exports need beside the classifier.

    Attributes:
      classifier: the net, its weights, preprocessing and classes.
      batch_size: images at once of the graphs; None leaves it open, and is 1 in TFLite.
      samples: preprocessed images, [size, size, channels] each, by which int8 is
        calibrated.
    """

    classifier: Classifier
    batch_size: int | None = None
    samples: Callable[[], Iterable[np.ndarray]] = tuple


@dataclasses.dataclass(frozen=True)
class Format:
    """A kind of file.

    Attributes:
      file: its name in the output folder; a folder's for a SavedModel.
      write: writes it to a path.
      run: (path, preprocessed images [batch, size, size, channels]) → probabilities;
        None for the one that takes photographs.
      limit: how far a probability may be from the checkpoint's in a format that rounds;
        None where only `--max_difference` allows any.
      has_float16_weights: whether it must be the float32 TFLite model, its weights
        rounded to float16, to `--max_difference`.
    """

    file: str
    write: Callable[[Job, str], None]
    run: Callable[[str, np.ndarray], np.ndarray] | None
    limit: float | None = None
    has_float16_weights: bool = False


def write_saved_model(job: Job, path: str) -> None:
    """Writes a SavedModel that takes photographs, preprocessing and labels inside."""
    classifier = job.classifier
    names = [n.encode("utf-8", "surrogateescape") for n in classifier.labels]
    size, channels = classifier.record.image_size, classifier.network.input_shape[-1]
    image = tf.TensorSpec((size, size, channels), tf.float32)

    def classify(images: tf.Tensor) -> dict[str, tf.Tensor]:
        probabilities = classifier.probabilities(images)
        top = tf.math.top_k(probabilities, min(TOP_K, len(names)))
        return {
            "probabilities": probabilities,
            "top_probabilities": top.values,
            "top_indices": top.indices,
            "top_labels": tf.gather(tf.constant(names), top.indices),
        }

    def encoded(image_bytes: tf.Tensor) -> dict[str, tf.Tensor]:
        def prepare(one: tf.Tensor) -> tf.Tensor:
            return classifier.preprocess(classifier.decode(one))

        return classify(tf.map_fn(prepare, image_bytes, fn_output_signature=image))

    def from_pixels(pixels: tf.Tensor) -> dict[str, tf.Tensor]:
        rounded = tf.saturate_cast(tf.round(pixels), tf.uint8)
        prepare = classifier.preprocess
        return classify(tf.map_fn(prepare, rounded, fn_output_signature=image))

    shape = (None, None, None, classifier.image_channels)
    signatures = {
        "serving_default": tf.function(encoded).get_concrete_function(
            tf.TensorSpec([None], tf.string, "image_bytes")
        ),
        "pixels": tf.function(from_pixels).get_concrete_function(
            tf.TensorSpec(shape, tf.float32, "pixels")
        ),
    }
    module = tf.Module()
    # All that inference reads: the auxiliary heads stay out.
    module.weights = [v for f in signatures.values() for v in f.variables]
    tf.saved_model.save(module, path, signatures=signatures)


def _write_bytes(path: str, content: bytes) -> None:
    with open(path, "wb") as file:
        file.write(content)


def _function(job: Job, batch_size: int | None) -> tf.types.experimental.Callable:
    """The net from preprocessed images to probabilities, for converters."""
    shape = (batch_size, *job.classifier.network.input_shape)
    spec = tf.TensorSpec(shape, tf.float32, export_graph.INPUT)
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
    """Writes a TFLite model with float16 weights, half the size."""
    converter = _converter(job)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.target_spec.supported_types = [tf.float16]
    _write_bytes(path, converter.convert())


def round_to_float16(path: str) -> None:
    """Rounds the weights of a float32 TFLite model; they stay float32 numbers."""
    model = flatbuffer_utils.read_model(path)
    for tensor in model.subgraphs[0].tensors:
        content = model.buffers[tensor.buffer]
        if tensor.type == schema.TensorType.FLOAT32 and content.data is not None:
            weights = np.asarray(content.data, np.uint8).view(np.float32)
            content.data = weights.astype(np.float16).astype(np.float32).view(np.uint8)
    flatbuffer_utils.write_model(model, path)


def write_tflite_int8(job: Job, path: str) -> None:
    """Writes a TFLite model of int8 alone, inputs and outputs too, a quarter the size.

    Ranges of the values come from `job.samples`.
    """
    num_images = job.batch_size or 1

    def samples() -> Iterable[list[np.ndarray]]:
        for image in job.samples():
            yield [np.repeat(image[np.newaxis], num_images, axis=0)]

    converter = _converter(job)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = samples
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = converter.inference_output_type = tf.int8
    _write_bytes(path, converter.convert())


def run_tflite(path: str, images: np.ndarray) -> np.ndarray:
    """Probabilities of a TFLite model, one batch of its size after the other."""
    interpreter = tf.lite.Interpreter(path)
    interpreter.allocate_tensors()
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


def _quantized(values: np.ndarray, details: dict) -> np.ndarray:
    if details["dtype"] != np.int8:
        return values
    scale, zero = details["quantization"]
    return np.clip(np.round(values / scale + zero), -128, 127).astype(np.int8)


def _real(values: np.ndarray, details: dict) -> np.ndarray:
    if details["dtype"] != np.int8:
        return values
    scale, zero = details["quantization"]
    return (values.astype(np.float32) - zero) * scale


def _batches(images: np.ndarray, size: int) -> Iterable[np.ndarray]:
    """Batches of one size; the last one is filled up with its last image."""
    for start in range(0, len(images), size):
        batch = images[start : start + size]
        yield np.pad(batch, [(0, size - len(batch)), *[(0, 0)] * 3], mode="edge")


def write_frozen_graph(job: Job, path: str) -> None:
    """Writes the old frozen GraphDef."""
    _write_bytes(path, export_graph.frozen_graph(job.classifier, job.batch_size))


def run_frozen_graph(path: str, images: np.ndarray) -> np.ndarray:
    """Probabilities of a frozen GraphDef; of logits, their softmax."""
    definition = tf.compat.v1.GraphDef()
    with open(path, "rb") as file:
        definition.ParseFromString(file.read())
    output = export_graph.predictions_node(definition)
    with tf.Graph().as_default() as graph:
        tf.import_graph_def(definition, name="")
        source = graph.get_tensor_by_name(f"{export_graph.INPUT}:0")
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
                " run `python -m pip install tf2onnx==1.17.0 onnxruntime`, or leave"
                " onnx out"
            )


def write_onnx(job: Job, path: str) -> None:
    """Writes an ONNX model of operator set 17, NHWC images as in TensorFlow."""
    tf2onnx = importlib.import_module("tf2onnx")
    function = _function(job, job.batch_size)
    tf2onnx.convert.from_function(
        function, input_signature=function.input_signature, opset=17, output_path=path
    )


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


FORMATS = {
    "saved_model": Format("saved_model", write_saved_model, None),
    "tflite": Format("model.tflite", write_tflite, run_tflite),
    "tflite_float16": Format(
        *("model_float16.tflite", write_tflite_float16, run_tflite),
        limit=0.05,
        has_float16_weights=True,
    ),
    "tflite_int8": Format("model_int8.tflite", write_tflite_int8, run_tflite, 1.0),
    "onnx": Format("model.onnx", write_onnx, run_onnx),
    "frozen_graph": Format("frozen_graph.pb", write_frozen_graph, run_frozen_graph),
}
