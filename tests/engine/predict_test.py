"""Prediction with the finished run: what evaluation says, averages, features."""

import csv
import dataclasses
import json
import os
import shutil

import numpy as np
import pytest
from PIL import Image

from checkpoints import model_info, slim_format
from config.eval_config import EvalConfig, EvalOptions
from config.predict_config import NetOptions, PredictConfig, PredictOptions
from config.share_options import ShareOptions
from config.shared_options import DataOptions, ModelOptions
from engine import evaluate, predict
from engine.prediction import prediction_photos, shared_prediction
from engine.prediction.prediction_photos import PredictionPhotos
from engine.restored import classifier as classifiers
from errors import NotFiniteError, PeerError, UserError
from tests.engine import coloured_images, small_runs

CLASSES = ("red", "green", "blue")


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """Files of the colours, as the records of the data set hold them."""
    folder = tmp_path_factory.mktemp("photos")
    for label, name in enumerate(CLASSES):
        pixels = np.zeros((coloured_images.SIDE, coloured_images.SIDE, 3), np.uint8)
        pixels[..., label] = coloured_images.BRIGHTNESS
        Image.fromarray(pixels).save(folder / f"{label}_{name}.png")
    return folder


@pytest.fixture
def run(full_run, photos, tmp_path):
    """Predicts with options; gives the exit status."""

    def run(*where, checkpoint_path=full_run, **options) -> int:
        options |= {"checkpoint_path": str(checkpoint_path), "batch_size": 2}
        config = PredictConfig(PredictOptions(**options), NetOptions())
        return predict.predict(config, [str(one) for one in where or (photos,)])

    return run


@pytest.fixture
def probabilities(run, tmp_path):
    """The probabilities of all photos, `[photos, classes]`, under options."""

    def probabilities(**options) -> np.ndarray:
        file = tmp_path / "out.jsonl"
        assert run(format="jsonl", output_file=str(file), **options) == 0
        rows = []
        for line in map(json.loads, file.read_text().splitlines()):
            by_label = sorted(line["classes"], key=lambda one: one["label"])
            assert tuple(one["class"] for one in by_label) == CLASSES
            rows.append([one["probability"] for one in by_label])
        return np.array(rows)

    return probabilities


def test_photos_get_what_evaluation_gives_their_records(
    full_run, images_dir, probabilities, tmp_path
):
    evaluate.evaluate(
        EvalConfig(
            DataOptions(dataset_dir=str(images_dir)),
            ModelOptions(),
            EvalOptions(
                checkpoint_path=str(full_run),
                eval_dir=str(tmp_path),
                dataset_split_name="validation",
                batch_size=5,
            ),
        ),
        given={"dataset_split_name"},
    )
    with open(tmp_path / "predictions.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    expected = {row["label"]: (row["predicted"], row["probability"]) for row in rows}
    for name, answer in zip(CLASSES, probabilities(), strict=True):
        predicted, probability = expected[name]
        assert CLASSES[answer.argmax()] == predicted
        assert answer.max() == pytest.approx(float(probability), abs=2e-6)
        assert answer.sum() == pytest.approx(1, abs=1e-5)


def test_an_ensemble_is_the_mean_of_its_members(full_run, probabilities, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    values = small_runs.read_all(full_run, 6)
    values["Tiny/Logits/biases"] = np.array([0, 2, 0], np.float32)
    slim_format.write_checkpoint(str(other / "model.ckpt-6"), values)
    shutil.copy(full_run / "model.json", other)
    alone = [probabilities(checkpoint_path=str(p)) for p in (full_run, other)]
    together = probabilities(checkpoint_path=f"{full_run},{other}")
    assert np.abs(alone[0] - alone[1]).max() > 0.1
    np.testing.assert_allclose(together, np.mean(alone, 0), atol=1e-6)


def test_views_of_a_plain_colour_are_all_alike(probabilities):
    views = probabilities(tta="flip,ten_crop")
    np.testing.assert_allclose(views, probabilities(), atol=1e-5)


def test_members_of_other_classes_are_refused(full_run, run, tmp_path):
    other = tmp_path / "other"
    shutil.copytree(full_run, other)
    record = model_info.read(str(full_run))
    assert record is not None
    names = ("red", "blue", "green")
    dataclasses.replace(record, class_names=names).write(str(other))
    with pytest.raises(UserError, match="only checkpoints with the same classes"):
        run(checkpoint_path=f"{full_run}, {other}")
    with pytest.raises(UserError, match=rf"names {full_run}/model.ckpt-6 twice"):
        run(checkpoint_path=f"{full_run},{full_run}/model.ckpt-6")


def test_features_of_end_points_with_their_photos(run, photos, tmp_path):
    file = tmp_path / "features.npz"
    features = {"output": "features", "output_file": str(file)}
    assert run(end_point="Conv2d_1,Conv2d_2", **features) == 0
    with np.load(file) as arrays:
        assert set(arrays) == {"names", "Conv2d_1", "Conv2d_2"}
        assert arrays["names"].tolist() == sorted(map(str, photos.iterdir()))
        assert arrays["Conv2d_1"].shape == (3, 8, 8, 4)
        assert arrays["Conv2d_2"].shape == (3, 4, 4, 6)
    for wrong in ("Conv2d_3", None):
        with pytest.raises(UserError, match=r"no such end point.*tiny has Conv2d_1"):
            run(end_point=wrong, **features)


def test_pooled_features_are_means_and_folders_are_labels(run, photos, tmp_path):
    for i, path in enumerate(sorted(photos.iterdir())):
        (tmp_path / "p" / f"c{i}").mkdir(parents=True)
        shutil.copy(path, tmp_path / "p" / f"c{i}")
    found = {}
    for pool in (False, True):
        file = str(tmp_path / "features.npz")
        options = {"end_point": "Conv2d_2", "output_file": file, "pool": pool}
        assert run(tmp_path / "p", output="features", **options) == 0
        with np.load(file) as arrays:
            found[pool] = dict(arrays)
    assert found[True]["labels"].tolist() == ["c0", "c1", "c2"]
    assert found[True]["Conv2d_2"].shape == (3, 6)
    means = found[False]["Conv2d_2"].mean((1, 2))
    np.testing.assert_allclose(found[True]["Conv2d_2"], means, rtol=1e-5)


def test_a_checkpoint_without_a_head_gives_what_comes_before_it(
    full_run, run, photos, tmp_path
):
    values = small_runs.read_all(full_run, 6)
    body = {n: v for n, v in values.items() if "Logits" not in n}
    slim_format.write_checkpoint(str(tmp_path / "body" / "model.ckpt-6"), body)
    shutil.copy(full_run / "model.json", tmp_path / "body")
    path = str(tmp_path / "body")
    features = {"output": "features", "output_file": str(tmp_path / "features.npz")}
    found = []
    for checkpoint_path in (str(full_run), path):
        options = {"checkpoint_path": checkpoint_path, "end_point": "Conv2d_2"}
        assert run(photos, **features, **options) == 0
        with np.load(features["output_file"]) as arrays:
            found.append(arrays["Conv2d_2"])
    np.testing.assert_array_equal(*found)
    with pytest.raises(NotFiniteError, match="--end_point=AuxLogits depends on a head"):
        run(photos, end_point="AuxLogits", **features)
    with pytest.raises(UserError, match="lacks 2 of the"):
        run(photos, checkpoint_path=path)


def test_a_damaged_photo_is_named_and_the_others_predicted(
    run, photos, tmp_path, capsys
):
    damaged = tmp_path / "damaged.jpg"
    damaged.write_bytes(b"no image")
    absent = tmp_path / "absent.png"
    assert run(damaged, photos, absent, photos / "0_red.png", top_k=1) == 1
    out, err = capsys.readouterr()
    sound = [str(photos / f"{i}_{name}.png") for i, name in enumerate(CLASSES)]
    lines = out.splitlines()[2:]
    assert [line.split()[0] for line in lines] == [str(damaged), *sound, str(absent)]
    assert "error: no JPEG" in lines[0]
    lines = [line for line in err.splitlines() if line.startswith("error: ")]
    assert lines[0].startswith(f"error: {damaged}: no JPEG")
    assert lines[1].startswith(f"error: {absent}: No such file")
    with pytest.raises(UserError, match=r"no photo can be read: the first of 2 is "):
        run(damaged, absent, output_file=str(tmp_path / "out.csv"), format="csv")
    assert not (tmp_path / "out.csv").exists()


def test_broken_photos_stand_in_every_format(run, photos, tmp_path):
    """In their place, also where a batch is full before or after them."""
    broken = [tmp_path / f"{number}.jpg" for number in range(4)]
    for path in broken:
        path.write_bytes(b"\xff\xd8\xff")
    red, green, blue = sorted(photos.iterdir())
    order = [broken[0], red, broken[1], green, blue, broken[2], broken[3]]
    file = tmp_path / "out"
    assert run(*order, format="csv", top_k=1, output_file=str(file)) == 1
    rows = list(csv.DictReader(file.read_text().splitlines()))
    assert [row["photo"] for row in rows] == list(map(str, order))
    for row in rows:
        is_broken = row["photo"].endswith(".jpg")
        assert bool(row["error"]) == is_broken
        assert (row["class"] in CLASSES) != is_broken
    assert run(*order, format="jsonl", top_k=1, output_file=str(file)) == 1
    objects = [json.loads(line) for line in file.read_text().splitlines()]
    assert [one["photo"] for one in objects] == list(map(str, order))
    assert [len(one["classes"]) for one in objects] == [0, 1, 0, 1, 1, 0, 0]
    assert ["error" in one for one in objects] == [
        n == 0 for n in (0, 1, 0, 1, 1, 0, 0)
    ]


def test_a_folder_is_walked_as_in_conversion(run, photos, tmp_path, caplog):
    """Any name, linked folders, circles; what is left out is said."""
    folder = tmp_path / "mixed"
    (folder / "deep").mkdir(parents=True)
    for number, name in enumerate(("IMG_1", "b.jpg.bak", "deep/c.PNG")):
        shutil.copy(sorted(photos.iterdir())[number], folder / name)
    (folder / "linked").symlink_to(photos)
    (folder / "circle").symlink_to("..")
    for name in ("notes.txt", ".hidden.jpg", "Thumbs.db"):
        (folder / name).write_text("text")
    file = tmp_path / "out.csv"
    with caplog.at_level("INFO"):
        assert run(folder, format="csv", top_k=1, output_file=str(file)) == 0
    rows = list(csv.DictReader(file.read_text().splitlines()))
    found = {row["photo"].removeprefix(f"{folder}/") for row in rows}
    assert found == {"IMG_1", "b.jpg.bak", "deep/c.PNG"} | {
        f"linked/{path.name}" for path in photos.iterdir()
    }
    assert "Skipped: 1 × not a photo: " in caplog.text
    assert "notes.txt" in caplog.text
    assert "Ignored 2 hidden and system files" in caplog.text
    assert run(folder / "notes.txt", folder / "IMG_1", output_file=str(file)) == 1


def test_bits_are_those_of_the_data_set_or_the_flag(full_run, run, photos, tmp_path):
    grey = tmp_path / "grey.png"
    Image.fromarray(np.full((8, 8), 4000, np.uint16)).save(grey)
    other = tmp_path / "run"
    shutil.copytree(full_run, other)
    record = model_info.read(str(full_run))
    assert record is not None
    assert record.bits is None
    with pytest.raises(UserError, match="12 bits, or a dark one of 16"):
        run(grey)
    assert run(grey, bits=12) == 0
    with pytest.raises(UserError, match="4000, and those of --bits=10"):
        run(grey, bits=10)
    dataclasses.replace(record, bits=12).write(str(other))
    assert run(grey, checkpoint_path=other) == 0
    assert run(grey, checkpoint_path=f"{full_run},{other}") == 0
    another = tmp_path / "another"
    shutil.copytree(other, another)
    dataclasses.replace(record, bits=16).write(str(another))
    with pytest.raises(UserError, match=r"trained on photos of .* give the --bits"):
        run(grey, checkpoint_path=f"{other},{another}")


def test_features_leave_no_row_of_what_is_broken(run, photos, tmp_path):
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"\xff\xd8\xff")
    file = tmp_path / "features.npz"
    options = {"output": "features", "end_point": "Conv2d_2", "output_file": str(file)}
    assert run(photos, **options) == 0
    with np.load(file) as arrays:
        expected = dict(arrays)
    assert run(broken, photos, **options) == 1
    with np.load(file) as arrays:
        for name, array in expected.items():
            np.testing.assert_array_equal(arrays[name], array)
    file.unlink()
    with pytest.raises(UserError, match="no photo can be read"):
        run(broken, **options)
    assert {path.name for path in tmp_path.iterdir()} == {"broken.jpg"}


def test_photos_are_there_and_so_is_the_folder_of_the_output(run, tmp_path):
    with pytest.raises(UserError, match="no photos: give"):
        prediction_photos.find([])
    with pytest.raises(UserError, match="no photos found"):
        run(tmp_path)
    with pytest.raises(UserError, match="there is no folder"):
        run(output_file=str(tmp_path / "none" / "out.csv"))


def test_spoilt_weights(full_run, run, tmp_path):
    values = small_runs.read_all(full_run, 6)
    values["Tiny/Logits/biases"] = np.array([np.nan, 0, 0], np.float32)
    slim_format.write_checkpoint(str(tmp_path / "model.ckpt-6"), values)
    shutil.copy(full_run / "model.json", tmp_path)
    with pytest.raises(NotFiniteError, match="not finite"):
        run(checkpoint_path=str(tmp_path))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "--checkpoint_path is missing"),
        ({"tta": "flop"}, "--tta=flop: expected flip or ten_crop"),
        ({"format": "xml"}, "one of table, csv, jsonl"),
        ({"end_point": "a"}, "--end_point needs --output=features"),
        ({"pool": True}, "--pool needs --output=features"),
        ({"output": "features"}, "ends in .npz"),
        (
            {"output": "features", "output_file": "a.npz", "tta": "flip"},
            "omit --tta and further checkpoints",
        ),
        (
            {"output": "features", "output_file": "a.npz", "top_k": 3},
            "--top_k=3 has no effect with --output=features",
        ),
        (
            {"output": "features", "output_file": "a.npz", "format": "csv"},
            "--format=csv has no effect with --output=features",
        ),
        (
            {"output": "found.csv"},
            "expected classes or features; --output_file=found.csv writes to that file",
        ),
    ],
)
def test_options_that_contradict(options, message):
    options = ({"checkpoint_path": "a"} if options else {}) | options
    with pytest.raises(UserError, match=message):
        PredictConfig(PredictOptions(**options), NetOptions())


class TestTasks:
    """Several tasks write what one would have written."""

    @pytest.fixture
    def task(self, full_run, photos):
        def task(number, output_file, *, num_tasks=2, wait_secs=1, **options) -> int:
            run_dir = str(options.pop("checkpoint_path", full_run))
            options |= {"checkpoint_path": run_dir, "batch_size": 2}
            share = ShareOptions(num_tasks, number, wait_secs)
            options["output_file"] = str(output_file)
            config = PredictConfig(PredictOptions(**options), NetOptions(), share)
            return predict.predict(config, [str(photos)])

        return task

    def test_classes_come_in_order(self, run, task, tmp_path, monkeypatch):
        whole, shared = tmp_path / "whole.csv", tmp_path / "shared.csv"
        assert run(format="csv", output_file=str(whole)) == 0
        with pytest.raises(PeerError, match="those of task 1 of 2"):
            task(0, shared, format="csv")
        assert not shared.exists()
        assert task(1, shared, format="csv") == 0
        assert not shared.exists()
        done = []
        walk = PredictionPhotos.walk

        def counted(block, batches):
            done.append(block.paths)
            return walk(block, batches)

        monkeypatch.setattr(PredictionPhotos, "walk", counted)
        assert task(0, shared, format="csv") == 0
        assert done == []  # what the first try did is kept
        assert shared.read_bytes() == whole.read_bytes()
        assert [p.suffix for p in (tmp_path / "shared.csv.parts").iterdir()] == [
            ".json"
        ]
        assert task(1, shared, format="csv") == 0
        assert task(1, shared, format="csv", top_k=1) == 0
        assert len(done) == 1  # another command: its own parts

    def test_another_number_of_tasks_goes_on(self, run, task, tmp_path):
        whole, shared = tmp_path / "whole.jsonl", tmp_path / "shared.jsonl"
        assert run(format="jsonl", output_file=str(whole)) == 0
        assert task(1, shared, num_tasks=3, format="jsonl") == 0
        # Which leaves the second of two tasks nothing to do.
        assert task(0, shared, num_tasks=2, format="jsonl") == 0
        assert shared.read_bytes() == whole.read_bytes()

    def test_features_come_in_order(self, run, task, photos, tmp_path):
        whole, shared = tmp_path / "whole.npz", tmp_path / "shared.npz"
        (photos / "9_broken.png").write_bytes(b"\x89PNG\r\n\x1a\n")
        options = {"output": "features", "end_point": "Conv2d_1,Conv2d_2"}
        try:
            assert run(output_file=str(whole), **options) == 1
            assert task(1, shared, **options) == 1
            assert task(0, shared, **options) == 1
        finally:
            (photos / "9_broken.png").unlink()
        with np.load(whole) as one, np.load(shared) as other:
            assert one.files == other.files
            for name in one.files:
                np.testing.assert_array_equal(one[name], other[name])

    def test_a_photo_that_was_written_since(self, task, photos, tmp_path):
        shared = tmp_path / "shared.csv"
        photo = sorted(photos.iterdir())[0]
        times = photo.stat()

        def predict_again() -> str:
            assert task(1, shared, format="csv") == task(0, shared, format="csv") == 0
            return shared.read_text()

        before = predict_again()
        try:
            # Of the same name and size, as a camera's next photo may be.
            os.utime(photo, ns=(times.st_atime_ns, times.st_mtime_ns + 1))
            with pytest.raises(PeerError, match="those of task 1 of 2"):
                task(0, shared, format="csv")
        finally:
            os.utime(photo, ns=(times.st_atime_ns, times.st_mtime_ns))
        assert predict_again() == before

    def test_a_class_by_another_name(self, task, full_run, tmp_path):
        shared = tmp_path / "shared.csv"
        assert task(1, shared, format="csv") == task(0, shared, format="csv") == 0
        info = full_run / "model.json"
        original = info.read_text()
        renamed = json.loads(original)
        renamed["class_names"][0] = "renamed"
        try:
            info.write_text(json.dumps(renamed))
            assert task(1, shared, format="csv") == 0
            assert task(0, shared, format="csv") == 0
        finally:
            info.write_text(original)
        assert "renamed" in shared.read_text()

    def test_an_output_that_another_command_wrote_since(self, run, task, tmp_path):
        shared = tmp_path / "shared.csv"
        assert task(1, shared, format="csv") == task(0, shared, format="csv") == 0
        ours = shared.read_bytes()
        assert run(format="jsonl", output_file=str(shared)) == 0
        assert task(1, shared, format="csv") == task(0, shared, format="csv") == 0
        assert shared.read_bytes() == ours

    def test_parts_are_of_the_checkpoint_that_made_them(
        self, task, full_run, tmp_path, monkeypatch
    ):
        """Whatever the run saves between loading and the first part."""
        run_dir = tmp_path / "run"
        shutil.copytree(full_run, run_dir)
        loaded = []
        load = classifiers.load

        def load_and_save(path, *args, **kwargs):
            loaded.append(load(path, *args, **kwargs))
            for name in os.listdir(run_dir):
                if name.startswith("model.ckpt"):
                    newer = name.replace("ckpt-", "ckpt-9")
                    shutil.copy(run_dir / name, run_dir / newer)
            state = (run_dir / "checkpoint").read_text()
            (run_dir / "checkpoint").write_text(state.replace("ckpt-", "ckpt-9"))
            return loaded[-1]

        monkeypatch.setattr(classifiers, "load", load_and_save)
        digested: list[str] = []
        monkeypatch.setattr(shared_prediction, "digest_of", digested.append)
        assert task(1, tmp_path / "a.csv", format="csv", checkpoint_path=run_dir) == 0
        assert digested == [loaded[0].checkpoint_path]

    def test_a_terminal_cannot_be_shared(self, task):
        with pytest.raises(UserError, match="--output_file is missing"):
            task(1, "")
