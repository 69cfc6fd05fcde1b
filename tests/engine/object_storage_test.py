"""From photos to an export in object storage: the same bytes as on a disk.

Once in TensorFlow's memory, once through its client of Google Cloud Storage, which a
server on this machine answers.
"""

import shutil

import numpy as np
import pytest

from checkpoints import slim_format
from checkpoints.checkpoint_folder import CheckpointFolder
from checkpoints.model_info import ModelInfo
from checkpoints.slim_format import digest_of
from common import atomic_files, storage
from config import flags
from config.eval_config import EvalConfig
from config.predict_config import PredictConfig
from convert import export_model
from convert.exports.options import ExportConfig
from convert.photos import conversion
from convert.photos.settings import Settings
from engine import evaluate, predict
from engine.feature_cache import feature_cache
from errors import UserError
from tests import gcs_server
from tests.convert import sample_photos
from tests.engine import small_runs
from tests.engine.cluster import one_folder_test

_RUN = {
    "dataset_name": "pets",
    "eval_split_name": "validation",
    "eval_every_n_steps": 2,
    "train_image_size": 16,
    "batch_size": 2,
    "batch_norm_decay": 0.1,  # settled at once, so that nothing is recomputed
}


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    return sample_photos.make_folder(
        tmp_path_factory.mktemp("photos") / "all", number=8
    )


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    """The service; within, TensorFlow's client finds it."""
    if not shutil.which("openssl"):
        pytest.skip("no openssl, which makes the service's certificate")
    folder = tmp_path_factory.mktemp("service")
    with (
        gcs_server.serve(folder) as service,
        pytest.MonkeyPatch.context() as patch,
    ):
        for name, value in service.environment.items():
            patch.setenv(name, value)
        yield service


@pytest.fixture
def memory(monkeypatch):
    """TensorFlow's own file system in memory, which appends to what is there."""
    upload = storage.upload

    def replace(local_path, path):
        if path.startswith("ram://") and storage.exists(path):
            storage.remove(path)
        upload(local_path, path)

    monkeypatch.setattr(storage, "upload", replace)


def _convert(photos, folder):
    settings = Settings(
        str(photos), None, folder, "pets", validation_fraction=0.4, num_shards=2
    )
    conversion.convert(
        settings, num_workers=1, max_rejected_fraction=0.1, shows_next=False
    )


def _walk(photos, root):
    """Converts, trains, resumes, evaluates, predicts and exports; what came of it."""
    _convert(photos, f"{root}/data")
    run = {**_RUN, "dataset_dir": f"{root}/data", "train_dir": f"{root}/run"}
    for steps in (2, 4):
        assert small_runs.train(**run, max_number_of_steps=steps) == 0
    to_evaluate, given = flags.parse(EvalConfig, [f"--checkpoint_path={root}/run"])
    assert evaluate.evaluate(to_evaluate, given=given) == 0
    for more in ("a.csv --format=csv", "a.npz --output=features --end_point=Conv2d_2"):
        name, *options = more.split()
        arguments = [f"--checkpoint_path={root}/run", *options]
        arguments.append(f"--output_file={root}/{name}")
        to_predict, _ = flags.parse(PredictConfig, arguments)
        assert predict.predict(to_predict, [str(photos)]) == 0
    to_export, _ = flags.parse(
        ExportConfig, [f"--checkpoint_path={root}/run", f"--output_file={root}/net.pb"]
    )
    export_model.export_all(to_export)
    return _found(root)


def _found(root):
    """All that does not depend on place or time, by name."""
    files = {}
    for folder in ("data", "run", "run/best", "run/eval", "."):
        path = f"{root}/{folder}".removesuffix("/.")
        for name in storage.files_in(path):
            with storage.open_bytes(f"{path}/{name}") as file:
                files[f"{folder}/{name}"] = file.read()
    named = {n: b for n, b in files.items() if "events.out" not in n}
    # These name places: what they hold beside is in the others.
    for name in ("run/run.json", "run/eval/metrics.json"):
        named[name] = named[name].replace(root.encode(), b"")
    # Times, or another order of the same.
    for name in ("data/file_states.json", "./a.npz"):
        named[name] = b"there" if name in named else b"absent"
    return named


@pytest.fixture(scope="module")
def on_disk(photos, tmp_path_factory):
    return _walk(photos, str(tmp_path_factory.mktemp("disk")))


def _same(found, on_disk):
    assert {n for n in found if found[n] != on_disk.get(n)} == set()
    assert set(on_disk) - set(found) == {"run/.lock"}
    assert b"absent" not in on_disk.values()


def test_in_memory_all_is_as_on_a_disk(photos, on_disk, memory):
    _same(_walk(photos, "ram://bucket"), dict(on_disk))


@pytest.mark.slow
def test_through_the_client_of_a_service_all_is_as_on_a_disk(photos, on_disk, service):
    _same(_walk(photos, "gs://bucket"), dict(on_disk))
    uploads = [r.partition("name=")[2] for r in service.requests() if "resumable" in r]
    saved = [u for u in uploads if u.startswith("run%2Fmodel.ckpt-4")]
    assert [s.partition(".ckpt-4.")[2][:5] for s in saved] == ["data-", "index"]
    place = uploads.index(saved[-1])
    assert "run%2Fcheckpoint" in uploads[place + 1 :]
    converted = [u for u in uploads if u.startswith("data%2F")]
    assert converted[0] == "data%2F.uploading.json"
    assert converted.index("data%2Fdataset.json") > max(
        i for i, name in enumerate(converted) if name.endswith((".tfrecord", ".txt"))
    )


def test_a_folder_is_uploaded_with_what_says_that_it_is_whole_last(tmp_path, service):
    for name in ("model/saved_model.pb", "model/variables/variables.index"):
        (tmp_path / name).parent.mkdir(exist_ok=True, parents=True)
        (tmp_path / name).write_text(name)
    atomic_files.move_new(str(tmp_path / "model"), "gs://bucket/model")
    uploads = [r for r in service.requests() if "model%2F" in r and "resumable" in r]
    assert [u.rpartition("%2F")[2] for u in uploads] == [
        "variables.index",
        "saved_model.pb",
    ]


def test_machines_share_a_bucket_and_know_its_checkpoints(service):
    run = "gs://bucket/shared/run"
    with one_folder_test.three_met() as mets:
        assert one_folder_test.outcomes(mets, [run] * 3) == [None] * 3
    asked = [r for r in service.requests() if "seen-by-all" in r]
    assert any("resumable" in r for r in asked)
    assert asked[-1].startswith("DELETE")
    slim_format.write_checkpoint(f"{run}/model.ckpt-1", {"w": np.zeros(3, np.float32)})
    assert len(digest_of(f"{run}/model.ckpt-1")) == 64


def test_what_may_not_be_written_is_one_line(service):
    path = "gs://bucket/kept/model.json"
    info = ModelInfo("lenet", 28, False, "lenet", 0, "pets", 2, None)
    CheckpointFolder("gs://bucket/kept", keep=1).create(info)
    with storage.open_bytes(path) as file:
        before = file.read()
    service.refuse_uploads()
    with pytest.raises(UserError, match="gs://bucket/new cannot be written to"):
        CheckpointFolder("gs://bucket/new", keep=1).create(info)
    with (
        pytest.raises(OSError, match=path),
        atomic_files.atomic_write(path, "w") as file,
    ):
        file.write("new")
    with storage.open_bytes(path) as file:
        assert file.read() == before


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("s3://bucket/data", "s3:// needs the package tensorflow-io"),
        ("file:///tmp/data", "name a folder of this machine by its path alone"),
    ],
)
def test_what_tensorflow_cannot_reach_is_one_line(path, message):
    with pytest.raises(UserError, match=message):
        storage.is_folder(path)


def test_what_needs_a_disk_says_so(tmp_path):
    with pytest.raises(UserError, match="--feature_cache_dir=gs://bucket/feature_cach"):
        feature_cache.folder_of_all(None, "gs://bucket")
    settings = Settings("gs://bucket/photos", None, str(tmp_path / "d"), "pets")
    with pytest.raises(UserError, match="copy the photos here first"):
        settings.check()
