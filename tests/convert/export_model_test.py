"""Exports: each is the checkpoint again, and wrong input leaves nothing behind."""

import base64
import dataclasses
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from google.protobuf import text_format
from PIL import Image

from checkpoints import slim_format
from checkpoints.model_info import ModelInfo
from checkpoints.slim_format import Checkpoint
from config.predict_config import NetOptions
from convert import export_model
from convert.exports import export_photos, formats, graphs, saved_model, served_photo
from convert.exports.check import Check, CheckError, as_predicted
from convert.exports.formats import FORMATS, Format, Job
from convert.weights import frozen_graph
from engine.restored import classifier as classifiers
from errors import UserError
from nets.network import Network
from tests.convert import sample_photos

ROOT = Path(__file__).parents[2]
NAMES = ("cat", "dog", "größe")
SIZE = 32


def _write_checkpoint(folder: Path, model_name: str, size: int, **record) -> str:
    """Weights with which the images differ in their probabilities."""
    tf.random.set_seed(0)  # or how much rounding changes would be a matter of chance
    network = Network(
        model_name, num_classes=3, image_size=size, channels=record.pop("channels", 3)
    )
    random = np.random.default_rng(0)
    values = {}
    for name, variable in network.model_variables.items():
        value = variable.numpy()
        if name.endswith(("beta", "moving_mean")):
            value = random.normal(0, 0.3, value.shape).astype(np.float32)
        elif name.endswith("Logits/Conv2d_1c_1x1/weights"):
            value = value * 30
        values[name] = value
    folder.mkdir()
    path = str(folder / "model.ckpt-7")
    slim_format.write_checkpoint(path, values | {"global_step": np.array(7)})
    fields: dict[str, Any] = {
        "use_grayscale": False,
        "preprocessing_name": "inception",
        "labels_offset": 0,
        "class_names": NAMES,
    }
    ModelInfo(
        model_name=model_name,
        image_size=size,
        dataset_name="pets",
        num_classes=3,
        **(fields | record),
    ).write(str(folder))
    return path


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    folder = tmp_path_factory.mktemp("mobilenet") / "run"
    return _write_checkpoint(folder, "mobilenet_v1_025", SIZE)


@pytest.fixture(scope="module")
def classifier(checkpoint):
    return classifiers.load(checkpoint, NetOptions(), use_moving_average=False)


@pytest.fixture(scope="module")
def check(classifier):
    encoded = export_photos.generated()
    return Check(classifier, encoded)


@pytest.fixture(scope="module")
def exported(classifier, check, tmp_path_factory):
    folder = tmp_path_factory.mktemp("exports") / "out"
    job = Job(classifier)
    formats = ["saved_model", "tflite", "frozen_graph"]
    return folder, dict(export_model.export(job, formats, str(folder), check))


def test_exports_are_there_and_nothing_else(exported):
    folder, found = exported
    assert sorted(path.name for path in folder.iterdir()) == [
        *("frozen_graph.pb", "labels.txt", "model.tflite", "saved_model")
    ]
    assert all("same top class for 100.0%" in text for text in found.values())
    labels = (folder / "labels.txt").read_text(encoding="utf-8")
    assert labels == "0:cat\n1:dog\n2:größe\n"


CLIENT = """
import json, sys
import tensorflow as tf
model = tf.saved_model.load(sys.argv[1])
files = [open(path, "rb").read() for path in sys.argv[2:]]
answer = model.signatures["serving_default"](image_bytes=tf.constant(files))
answer = {name: value.numpy().tolist() for name, value in answer.items()}
answer["top_labels"] = [[s.decode() for s in row] for row in answer["top_labels"]]
print(json.dumps(answer))
"""


def test_tensorflow_alone_classifies_photographs(exported, classifier, tmp_path):
    files = []
    for name in ("JPEG", "PNG", "GIF", "BMP"):
        path = tmp_path / f"photo.{name}"
        path.write_bytes(sample_photos.encode(sample_photos.pixels(1, 40, 50), name))
        files.append(str(path))
    process = subprocess.run(
        [sys.executable, "-c", CLIENT, str(exported[0] / "saved_model"), *files],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    answer = json.loads(process.stdout)
    images = [
        classifier.preprocess(classifier.decode(tf.constant(Path(file).read_bytes())))
        for file in files
    ]
    expected = classifier.probabilities(tf.stack(images)).numpy()
    np.testing.assert_allclose(answer["probabilities"], expected, atol=1e-5)
    order = np.argsort(-expected, axis=-1)
    assert answer["top_indices"] == order.tolist()
    assert answer["top_labels"] == [[NAMES[i] for i in row] for row in order]


def test_the_request_of_the_docs_fits_the_signature(exported, classifier):
    """TensorFlow Serving takes `b64` objects for bytes and instances for a batch."""
    text = (ROOT / "docs/export.md").read_text(encoding="utf-8")
    (body,) = re.findall(r"```json\n(.*?)```", text, flags=re.DOTALL)
    photo = sample_photos.encode(sample_photos.pixels(1, 40, 50), "JPEG")
    request = json.loads(
        body.replace("/9j/4AAQ…", base64.b64encode(photo).decode("ascii")),
        object_hook=lambda o: base64.b64decode(o["b64"]) if set(o) == {"b64"} else o,
    )
    signatures = tf.saved_model.load(str(exported[0] / "saved_model")).signatures
    signature = signatures[request["signature_name"]]
    _, inputs = signature.structured_input_signature
    assert request["instances"] == [dict.fromkeys(inputs, photo)]
    batch = {
        name: tf.constant([one[name] for one in request["instances"]])
        for name in inputs
    }
    expected = signatures["pixels"](
        pixels=tf.cast(classifier.decode(tf.constant(photo))[tf.newaxis], tf.float32)
    )
    for name, value in signature(**batch).items():
        np.testing.assert_array_equal(value, expected[name])


def test_saved_model_takes_whole_batches_of_pixels(exported, classifier):
    model = tf.saved_model.load(str(exported[0] / "saved_model"))
    pixels = np.stack([sample_photos.pixels(seed, 40, 50) for seed in range(3)])
    answer = model.signatures["pixels"](pixels=tf.constant(pixels, tf.float32))
    images = tf.stack([classifier.preprocess(tf.constant(one)) for one in pixels])
    expected = classifier.probabilities(images)
    np.testing.assert_allclose(answer["probabilities"], expected, atol=1e-5)


def test_frozen_graph_holds_the_checkpoint(exported, checkpoint):
    graph = tf.compat.v1.GraphDef()
    graph.ParseFromString((exported[0] / "frozen_graph.pb").read_bytes())
    assert [n.name for n in graph.node if n.op == "Placeholder"] == ["input"]
    assert graphs.predictions_node(graph) == "MobilenetV1/Predictions/Reshape_1"
    saved = Checkpoint(checkpoint)
    frozen = frozen_graph.frozen_variables(graph)
    assert set(frozen) == set(saved.shapes) - {"global_step"}
    for name, value in frozen.items():
        np.testing.assert_array_equal(value, saved.read(name))


def test_a_head_of_training_alone_leaves_nothing_undefined(tmp_path):
    run = _write_checkpoint(tmp_path / "run", "inception_v3_narrow", 128)
    narrow = classifiers.load(run, NetOptions(), use_moving_average=False)
    saved_model.write(narrow, str(tmp_path / "exported"))
    weights = tf.train.load_checkpoint(str(tmp_path / "exported/variables/variables"))
    values = [weights.get_tensor(n) for n in weights.get_variable_to_shape_map()]
    floats = [v for v in map(np.asarray, values) if v.dtype == np.float32]
    assert len(floats) > 300
    assert all(np.isfinite(value).all() for value in floats)


@pytest.fixture(scope="module")
def samples(classifier):
    """Preprocessed images."""
    return [
        classifier.preprocess(classifier.decode(tf.constant(photo))).numpy()
        for photo in export_photos.generated()
    ]


@pytest.mark.parametrize("io_type", formats.INT8_IO)
def test_int8_is_near_and_takes_the_type_asked_for(
    io_type, classifier, check, samples, tmp_path
):
    path = str(tmp_path / "int8.tflite")
    formats.write_tflite_int8(Job(classifier, 3, lambda: samples, io_type), path)
    interpreter = tf.lite.Interpreter(path)
    (source,), (target,) = (
        interpreter.get_input_details(),
        interpreter.get_output_details(),
    )
    assert source["dtype"] == target["dtype"] == np.dtype(io_type)
    assert tuple(source["shape"]) == (3, SIZE, SIZE, 3)
    inner = {t["dtype"] for t in interpreter.get_tensor_details() if t["name"]}
    assert np.int8 in inner
    expected = classifier.probabilities(tf.constant(np.stack(samples))).numpy()
    # Eight images in batches of three: the last one is filled up.
    got = formats.run_tflite(path, np.stack(samples))
    assert got.shape == expected.shape
    assert 0 < np.max(np.abs(got - expected)) < 0.1
    assert "largest difference" in check.compare(FORMATS["tflite_int8"], path)
    takes = FORMATS["tflite_int8"].takes(path)
    assert f"[3, {SIZE}, {SIZE}, 3] as {io_type}" in takes
    if io_type == "uint8":  # images in [-1, 1]: what it takes is nearly raw pixels
        scale, zero = map(
            float, re.findall(r"value is (\S+) × \(number − (\d+)\)", takes)[0]
        )
        assert scale == pytest.approx(1 / 127.5, rel=0.1)
        assert zero == pytest.approx(127.5, abs=10)


def test_float16_is_the_checkpoint_with_rounded_weights(
    classifier, check, exported, tmp_path, monkeypatch
):
    def copy(job: Job, path: str) -> None:  # instead of converting once more
        shutil.copyfile(exported[0] / "model.tflite", path)

    monkeypatch.setattr(formats, "write_tflite", copy)
    kind, path = FORMATS["tflite_float16"], str(tmp_path / "model")
    kind.write(Job(classifier), path)
    assert "from the checkpoint with rounded weights 0" in check.compare(kind, path)
    # Within what rounding may do, but not by rounding.
    error = np.array([0.001, -0.001, 0])
    answer = formats.run_tflite(path, check._images) + error
    other = dataclasses.replace(kind, run=lambda *_: answer)
    with pytest.raises(CheckError, match=r"with rounded weights by 0\.001"):
        check.compare(other, path)
    monkeypatch.setattr(formats, "run_tflite", lambda *_: answer)
    with pytest.raises(CheckError, match=r"before its weights are rounded.* by 0\.001"):
        check.compare(kind, path)


def test_rounding_to_float16_by_hand(tmp_path):
    weights = np.array(
        [1 + 2**-12, 1 / 3, 1e-9], np.float32
    )  # 11 bits; the least is 6e-8
    spec = tf.TensorSpec([1, 1, 1, 3], tf.float32)
    function = tf.function(lambda x: x * weights, input_signature=[spec])
    converter = tf.lite.TFLiteConverter.from_concrete_functions(
        [function.get_concrete_function()]
    )
    path = tmp_path / "model"
    path.write_bytes(converter.convert())
    formats.round_to_float16(str(path))
    rounded = formats.run_tflite(str(path), np.ones([1, 1, 1, 3], np.float32))
    np.testing.assert_array_equal(rounded.ravel(), [1, 1365 / 4096, 0])


def test_a_wrong_export_is_removed(classifier, check, tmp_path, monkeypatch):
    def run(path: str, images: np.ndarray) -> np.ndarray:
        probabilities = classifier.probabilities(tf.constant(images)).numpy()
        return probabilities + np.float32(2e-4) * (np.arange(len(images)) == 5)[:, None]

    def write(job: Job, path: str) -> None:
        Path(path).write_text("export")

    monkeypatch.setitem(FORMATS, "tflite", Format("model.tflite", write, run, str))
    folder = tmp_path / "out"
    with pytest.raises(CheckError, match=r"differs from the checkpoint by 0\.0002"):
        list(export_model.export(Job(classifier), ["tflite"], str(folder), check))
    assert not folder.exists()


@pytest.mark.parametrize("answer", [np.nan, np.ones([8, 2])])
def test_answers_of_no_number_or_another_shape_fail(check, answer):
    def run(path: str, images: np.ndarray) -> np.ndarray:
        return answer + np.zeros([8, np.size(answer, -1) if np.ndim(answer) else 3])

    for limit in (None, 1.0):
        with pytest.raises(CheckError):
            check.compare(Format("x", formats.write_tflite, run, str, limit), "x")


def test_an_export_is_never_written_over(exported, classifier, check):
    with pytest.raises(UserError, match="exists already"):
        next(export_model.export(Job(classifier), ["tflite"], str(exported[0]), check))


def test_a_net_without_softmax_gives_its_logits():
    graph, output = graphs.inference_graph(Network("alexnet_v2", num_classes=3), 2)
    assert output == "alexnet_v2/fc8/squeezed"
    assert not any(node.op == "Softmax" for node in graph.node)


def test_grey_data_of_lenet(tmp_path):
    path = _write_checkpoint(
        tmp_path / "run", "lenet", 28, channels=1, preprocessing_name="lenet"
    )
    classifier = classifiers.load(path, NetOptions(), use_moving_average=False)
    assert classifier.image_channels == 1
    assert classifier.network.input_shape == (28, 28, 1)
    encoded = [
        sample_photos.encode(sample_photos.pixels(s, 30, 30), "PNG") for s in range(2)
    ]
    check = Check(classifier, encoded)
    formats = ["saved_model", "frozen_graph"]
    job = Job(classifier, 3)
    assert (
        len(dict(export_model.export(job, formats, str(tmp_path / "out"), check))) == 2
    )


def test_slims_flags_write_slims_graph(tmp_path):
    file = tmp_path / "graph.pbtxt"
    process = _run(
        "--model_name=mobilenet_v1_025",
        *("--image_size=64", "--batch_size=4", "--labels_offset=1"),
        *("--dataset_name=imagenet", "--write_text_graphdef", "--is_training=False"),
        f"--output_file={file}",
    )
    assert process.returncode == 0, process.stderr
    graph = tf.compat.v1.GraphDef()
    text_format.Parse(file.read_text(), graph)
    nodes = {node.name: node for node in graph.node}
    shape = [d.size for d in nodes["input"].attr["shape"].shape.dim]
    assert shape == [4, 64, 64, 3]
    logits = nodes["MobilenetV1/Logits/Conv2d_1c_1x1/biases"].attr["shape"].shape
    assert [d.size for d in logits.dim] == [1000]
    assert not any(len(n.attr["value"].tensor.tensor_content) > 99 for n in graph.node)


def _run(*arguments: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "convert/export_model.py", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


def test_wrong_flags_get_one_line(tmp_path):
    process = _run("--checkpoint_path=x", f"--output_dir={tmp_path}", "--formats=tflit")
    assert process.returncode == 2
    (line,) = [s for s in process.stderr.splitlines() if s.startswith("error:")]
    assert "did you mean tflite" in line
    assert "Traceback" not in process.stderr


def test_photographs_are_found_and_damaged_ones_reported_and_skipped(tmp_path, caplog):
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "b.JPG").write_bytes(b"no image")
    found = export_photos.find(str(tmp_path), "check_images")
    with pytest.raises(UserError, match=r"none of 1 photos.*b\.JPG: "):
        list(export_photos.readable(found, "check_images", None))
    (tmp_path / "a.png").write_bytes(
        sample_photos.encode(sample_photos.pixels(1), "PNG")
    )
    found = export_photos.find(str(tmp_path), "check_images")
    caplog.clear()
    ((path, _),) = export_photos.readable(found, "check_images", None)
    assert path == str(tmp_path / "a.png")
    (line,) = caplog.messages
    assert re.search(r"--check_images: .*b\.JPG: .*; it is skipped", line)
    with pytest.raises(UserError, match=r"--check_images=.*no photos"):
        export_photos.find(str(tmp_path / "none*"), "check_images")


@pytest.mark.parametrize("fault", ["orientation", "transparency"])
def test_the_check_sees_photos_that_serving_reads_otherwise(
    fault, tmp_path, monkeypatch
):
    # Of the other net, pixels hardly change the probabilities.
    path = _write_checkpoint(tmp_path / "run", "lenet", 28)
    classifier = classifiers.load(path, NetOptions(), use_moving_average=False)
    check = Check(classifier, export_photos.generated())
    if fault == "orientation":
        monkeypatch.setattr(served_photo, "turned_upright", lambda pixels, _: pixels)
    else:
        monkeypatch.setattr(served_photo, "on_white", lambda pixels: pixels[..., :3])
    named = {"orientation": "EXIF orientation 2", "transparency": "transparent PNG"}
    folder = tmp_path / "out"
    with pytest.raises(CheckError, match=rf"{named[fault]}, differs from prediction"):
        list(export_model.export(Job(classifier), ["saved_model"], str(folder), check))
    assert not folder.exists()


def test_what_is_served_of_a_batch_is_what_is_predicted_of_each_photo(
    exported, classifier
):
    files = export_photos.in_every_form([sample_photos.pixels(7, 40, 50)])
    signatures = tf.saved_model.load(str(exported[0] / "saved_model")).signatures
    answer = signatures["serving_default"](
        image_bytes=tf.constant(list(files.values()))
    )
    images = [
        classifier.preprocess(classifier.decode(tf.constant(as_predicted(file))))
        for file in files.values()
    ]
    expected = classifier.probabilities(tf.stack(images)).numpy()
    np.testing.assert_allclose(answer["probabilities"], expected, atol=1e-5)
    webp = sample_photos.encode(sample_photos.pixels(7), "WEBP")
    with pytest.raises(tf.errors.InvalidArgumentError, match="takes JPEG, PNG, GIF"):
        signatures["serving_default"](image_bytes=tf.constant([webp]))


def test_a_run_on_photos_of_12_bits_is_checked_on_them_and_serves_none(tmp_path):
    values = (np.add.outer(np.arange(28), np.arange(28)) * 75).astype(np.uint16)
    photo = str(tmp_path / "twelve.png")
    Image.fromarray(values).save(photo)  # 0 to 4050
    path = _write_checkpoint(tmp_path / "run", "lenet", 28)
    classifier = classifiers.load(path, NetOptions(), use_moving_average=False)
    classifier.info = dataclasses.replace(classifier.info, bits=12)
    ((_, encoded),) = export_photos.readable([photo], "check_images", 12)
    seen = classifier.decode(tf.constant(encoded)).numpy()
    np.testing.assert_array_equal(seen[..., 0], values >> 4)
    content = Path(photo).read_bytes()
    check = Check(classifier, [content])
    folder = tmp_path / "out"
    list(export_model.export(Job(classifier), ["saved_model"], str(folder), check))
    serve = tf.saved_model.load(str(folder / "saved_model")).signatures
    with pytest.raises(tf.errors.InvalidArgumentError, match="trained on 12 bits"):
        serve["serving_default"](image_bytes=tf.constant([content]))


def test_a_run_with_a_broken_photo_and_what_a_killed_one_left(checkpoint, tmp_path):
    folder = sample_photos.make_folder(tmp_path / "photos", ["cat"]) / "cat"
    (folder / "1.png").write_bytes(b"broken")
    left = tmp_path / "out" / ".export.tmp-killed"
    left.mkdir(parents=True)
    (left / "half").write_text("half")
    process = _run(
        *(f"--checkpoint_path={checkpoint}", f"--output_dir={tmp_path / 'out'}"),
        *("--formats=saved_model,tflite_int8", "--tflite_int8_io=uint8"),
        *(f"--representative_dir={folder}", f"--check_images={folder}"),
    )
    assert process.returncode == 0, process.stderr
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        *("labels.txt", "model_int8.tflite", "saved_model")
    ]
    skipped = [s for s in process.stderr.splitlines() if "1.png: " in s]
    assert len(skipped) == 2
    # TensorFlow says nothing.
    others = [s for s in process.stderr.splitlines() if s not in skipped]
    assert all(
        re.match(r"\d\d:\d\d:\d\d (exporting|/.*: mobilenet)", line) for line in others
    ), process.stderr
    assert "takes photos, by serving_default: JPEG, PNG" in process.stdout
    assert f"[1, {SIZE}, {SIZE}, 3] as uint8" in process.stdout
    assert max(map(len, process.stdout.split("\n  ")[-1].splitlines())) <= 80
