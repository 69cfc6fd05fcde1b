"""The script as a process, on a published checkpoint of ImageNet's 1000 classes."""

import csv
import pathlib
import subprocess
import sys

import numpy as np

from checkpoints import slim_format
from nets.network import Network
from tests.convert import sample_photos

ROOT = pathlib.Path(__file__).resolve().parents[1]
LOGITS = "MobilenetV1/Logits/Conv2d_1c_1x1"


def test_imagenets_names_flags_behind_photos_and_the_status(tmp_path):
    network = Network("mobilenet_v1_025", num_classes=1000, image_size=32)
    values = {name: v.numpy() for name, v in network.model_variables.items()}
    values[f"{LOGITS}/weights"] *= 0
    values[f"{LOGITS}/biases"][0] = 20
    slim_format.write_checkpoint(str(tmp_path / "published.ckpt"), values)
    (tmp_path / "good.tiff").write_bytes(
        sample_photos.encode(sample_photos.pixels(1), "TIFF")
    )
    (tmp_path / "bad.jpg").write_bytes(b"no image")
    process = subprocess.run(
        [
            *(sys.executable, str(ROOT / "predict_images.py")),
            *("bad.jpg", "--model_name=mobilenet_v1_025", "g*.tiff"),
            *("--checkpoint_path=published.ckpt", "--image_size=32"),
            *("--top_k=2", "--format=csv", "--output_file=out.csv"),
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert process.returncode == 1, process.stderr
    assert process.stdout == ""
    (line,) = [s for s in process.stderr.splitlines() if s.startswith("error:")]
    assert line.startswith("error: bad.jpg: no JPEG")
    with open(tmp_path / "out.csv", newline="") as file:
        broken, first, second = csv.DictReader(file)
    assert (broken["photo"], broken["class"]) == ("bad.jpg", "")
    assert broken["error"].startswith("no JPEG")
    assert first["photo"] == "good.tiff"
    assert (first["label"], first["class"][:5]) == ("1", "tench")
    assert float(first["probability"]) > 0.99
    assert np.isclose(float(second["probability"]), 0, atol=1e-5)
