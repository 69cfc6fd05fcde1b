"""Whatever is in a small file that people can edit: it is read, or one line says no."""

import json
import pathlib

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from checkpoints import model_info, slim_format
from checkpoints.model_info import ModelInfo
from checkpoints.slim_format import Checkpoint
from datasets import dataset_json, example_schema, labels
from datasets.dataset import Dataset
from datasets.dataset_json import DatasetInfo, ShardInfo, SplitInfo
from datasets.records import record_faults
from errors import UserError
from tests.convert.sample_photos import encode, pixels

KEEPS_TMP_PATH = [HealthCheck.function_scoped_fixture]

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner)
    ),
    max_leaves=4,
)


def places(content, path=()):
    """The paths of all values in a JSON document."""
    yield path
    if isinstance(content, dict | list):
        keys = content if isinstance(content, dict) else range(len(content))
        for key in keys:
            yield from places(content[key], (*path, key))


def replaced(content, path, value):
    """The document with another value at a path."""
    if not path:
        return value
    copy = content.copy()
    copy[path[0]] = replaced(content[path[0]], path[1:], value)
    return copy


def read_or_one_line(read, *args):
    """What `read` gives; None where it refuses."""
    try:
        return read(*args)
    except UserError as error:
        message = str(error)
    assert "\n" not in message
    return None


SPLIT = SplitInfo(5, (2, 3), (ShardInfo("a", 2, 9, "x"), ShardInfo("b", 3, 9, "y")))
INFO = DatasetInfo("pets", ("cat", "dog"), {"train": SPLIT}, 3, {"seed": 1})
RECORD = ModelInfo("lenet", 28, False, "lenet", 0, "pets", 2, ("cat", "dog"))


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    folder = tmp_path_factory.mktemp("written")
    dataset_json.write(str(folder), INFO)
    RECORD.write(str(folder))
    return {
        name: json.loads((folder / name).read_text())
        for name in (dataset_json.FILENAME, model_info.FILE_NAME)
    }


@pytest.mark.parametrize(
    ("name", "read", "kind"),
    [
        (dataset_json.FILENAME, dataset_json.read, DatasetInfo),
        (model_info.FILE_NAME, model_info.read, ModelInfo),
    ],
)
@settings(deadline=None, max_examples=200, suppress_health_check=KEEPS_TMP_PATH)
@given(st.data())
def test_any_json(written, tmp_path, name, read, kind, data):
    path = data.draw(st.sampled_from(list(places(written[name]))))
    content = replaced(written[name], path, data.draw(VALUES))
    (tmp_path / name).write_text(json.dumps(content))
    result = read_or_one_line(read, str(tmp_path))
    assert result is None or isinstance(result, kind)


@settings(deadline=None, max_examples=200, suppress_health_check=KEEPS_TMP_PATH)
@given(st.binary(max_size=60) | st.text("0123456789:\r\n\\ab ").map(str.encode))
def test_any_labels(tmp_path, content):
    (tmp_path / labels.FILENAME).write_bytes(content)
    names = read_or_one_line(labels.read, str(tmp_path))
    assert names is None or names


DATASET = Dataset("d", "train", "", (), 1, 2, None, (1, 0))
PHOTO = encode(pixels(0), "PNG")
SOUND = example_schema.build_example(PHOTO, "png", 1, 6, 5, "a.png")
FEATURES = st.one_of(
    st.lists(st.binary(max_size=9) | st.just(PHOTO), max_size=2).map(
        lambda v: tf.train.Feature(bytes_list=tf.train.BytesList(value=v))
    ),
    st.lists(st.integers(-3, 3), max_size=2).map(
        lambda v: tf.train.Feature(int64_list=tf.train.Int64List(value=v))
    ),
    st.lists(st.floats(width=32), max_size=2).map(
        lambda v: tf.train.Feature(float_list=tf.train.FloatList(value=v))
    ),
)
KEYS = st.sampled_from(
    [
        example_schema.ENCODED,
        example_schema.FORMAT,
        example_schema.LABEL,
        example_schema.HEIGHT,
        example_schema.FILENAME,
        "other",
    ]
)


def changed_example(changes):
    """The sound example with other features, absent where None."""
    example = tf.train.Example.FromString(SOUND)
    for key, feature in changes.items():
        if feature is None:
            example.features.feature.pop(key, None)
        else:
            example.features.feature[key].CopyFrom(feature)
    return example.SerializeToString()


def patched(data, patches):
    changed = bytearray(data)
    for place, patch in patches:
        at = int(place * len(changed))
        changed[at : at + len(patch)] = patch
    return bytes(changed)


PATCHES = st.lists(
    st.tuples(st.floats(0, 1, exclude_max=True), st.binary(min_size=1, max_size=4)),
    min_size=1,
    max_size=3,
)


@tf.function(input_signature=[tf.TensorSpec([], tf.string)])
def as_the_pipeline_reads(serialized):
    features = example_schema.parse_example(serialized)
    label = example_schema.check_label(features, DATASET.num_classes)
    return example_schema.decode_image(features, DATASET.num_channels), label


@settings(deadline=None, max_examples=200)
@given(
    st.binary(max_size=40)
    | st.dictionaries(KEYS, st.none() | FEATURES, max_size=3).map(changed_example)
    | PATCHES.map(lambda patches: patched(SOUND, patches))
)
@example(patched(SOUND, [(0.9140625, b"\x00")]))  # quoted, it is no UTF-8
def test_a_record_is_refused_with_a_reason_or_read(serialized):
    try:
        as_the_pipeline_reads(serialized)
    except record_faults.READ_ERRORS:
        assert record_faults.explain_record(serialized, DATASET, 0)
    else:
        # Python's parser is stricter, as with names of features that are no UTF-8.
        record_faults.explain_record(serialized, DATASET, 0)


@pytest.fixture(scope="module")
def checkpoint_files(tmp_path_factory):
    prefix = str(tmp_path_factory.mktemp("checkpoint") / "model.ckpt-1")
    tensors = {f"net/w{i}": np.full((3, i), i, np.float32) for i in range(1, 9)}
    slim_format.write_checkpoint(prefix, tensors)
    suffixes = (".index", ".data-00000-of-00001")
    return tensors, {s: pathlib.Path(prefix + s).read_bytes() for s in suffixes}


@settings(deadline=None, max_examples=200, suppress_health_check=KEEPS_TMP_PATH)
@given(st.sampled_from([".index", ".data-00000-of-00001"]), PATCHES, st.floats(0, 1))
def test_a_damaged_checkpoint_is_refused_or_whole(
    checkpoint_files, tmp_path, suffix, patches, kept
):
    tensors, files = checkpoint_files
    damaged = patched(files[suffix], patches)[: int(kept * 2 * len(files[suffix]))]
    for name, content in (files | {suffix: damaged}).items():
        (tmp_path / f"model{name}").write_bytes(content)

    def read():
        checkpoint = Checkpoint(str(tmp_path / "model"))
        checkpoint.verify()
        return {name: checkpoint.read(name) for name in checkpoint.shapes}

    values = read_or_one_line(read)
    if values is not None:
        assert values.keys() == tensors.keys()
        for name, value in values.items():
            np.testing.assert_array_equal(value, tensors[name])
