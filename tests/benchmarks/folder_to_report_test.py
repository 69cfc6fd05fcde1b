import json

import numpy as np
import pytest
from PIL import Image

from benchmarks import folder_to_report, measuring, ours, real_photos


@pytest.fixture
def drawn(tmp_path):
    """Fifteen half-transparent pictures in two classes, gray in the left half."""
    for number in range(15):
        pixels = np.zeros((20, 40, 4), np.uint8)
        pixels[:, :20] = 16 * number, 16 * number, 16 * number, 255
        folder = tmp_path / "drawn" / f"class_{number % 2}"
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(folder / f"{number:02d}.png")
    return tmp_path / "drawn"


def test_mirrored_training_photos_make_up_the_number(drawn, tmp_path):
    folder_to_report.lay_out(drawn, tmp_path / "laid", num_photos=20, seed=3)
    train, held_out = (
        {path.stem for path in (tmp_path / "laid" / split).glob("*/*.jpg")}
        for split in ("train", "validation")
    )
    assert len(held_out) == 4
    mirrored = {stem for stem in train if stem.endswith("-mirrored")}
    assert len(train) == 16
    assert len(mirrored) == 5
    assert {stem.removesuffix("-mirrored") for stem in mirrored} < train
    assert not any("mirrored" in stem for stem in held_out)
    assert {s.removesuffix("-mirrored") for s in train}.isdisjoint(held_out)


def test_photos_have_500_pixels_and_lie_on_white(drawn, tmp_path):
    folder_to_report.lay_out(drawn, tmp_path / "laid", num_photos=20, seed=0)
    path = next((tmp_path / "laid" / "train").glob("class_0/*-mirrored.jpg"))
    pixels = np.asarray(Image.open(path))
    assert pixels.shape == (250, 500, 3)
    assert pixels[:, :200].min() > 250  # mirrored: the transparent half is left
    gray = 16 * int(path.stem.removesuffix("-mirrored"))
    np.testing.assert_allclose(pixels[:, 300:], gray, atol=4)


def test_ratios_are_of_the_same_round(drawn, tmp_path, smallest, monkeypatch):
    """10, 20 and 10 s, Keras 30, 100 and 40: 4 times, the median of 3, 5 and 4."""
    secs = {"fine_tune.py": [10, 20, 10], "benchmarks/keras_folder.py": [30, 100, 40]}

    def run(script, *arguments, **values):
        wall_secs = secs[script].pop(0)
        if script == "fine_tune.py":
            folder = values["output_dir"] / "evaluation"
            folder.mkdir(parents=True)
            (folder / "metrics.json").write_text(json.dumps({"accuracy": 0.75}))
        return ours.Ran(wall_secs, 2.0 * wall_secs, "Epoch 10\n0.5\n")

    monkeypatch.setattr(ours, "run", run)
    monkeypatch.setattr(real_photos, "checkpoint", lambda _: "weights")
    monkeypatch.setattr(measuring, "in_fresh_process", lambda *_: None)
    scale = measuring.Scale(num_images=15, rounds=3)
    *both, accuracy = folder_to_report.tables(
        tmp_path, scale, model_name="mobilenet_v1", photos=drawn
    )
    by_the_clock, of_the_cores = (table.splitlines()[-1].split() for table in both)
    assert by_the_clock[:3] == ["Keras", "40", "4.00×"]
    assert of_the_cores[:3] == ["Keras", "80", "4.00×"]
    assert accuracy.endswith("ours 0.7500, Keras 0.5000")
