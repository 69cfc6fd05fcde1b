"""The gallery: which images, in which color, with which words."""

import re

import numpy as np
import pytest

from engine.evaluation.evaluation import Results
from engine.report import gallery_page, reports
from tests.engine import coloured_images


@pytest.mark.parametrize(
    ("total", "count", "expected"),
    [(10, 4, [0, 3, 6, 9]), (3, 24, [0, 1, 2]), (1, 1, [0]), (5, 5, [0, 1, 2, 3, 4])],
)
def test_images_are_evenly_spaced(total, count, expected):
    assert gallery_page.evenly_spaced(total, count) == expected


@pytest.fixture
def write(tmp_path):
    """A function: writes reports of five images, the second and third misclassified."""
    names = [None, "<b>.png", None, None, "last.png"]
    labels = [0, 1, 2, 0, 1]
    data = coloured_images.write_split(
        tmp_path / "data", "test", labels, labels, filenames=names
    )
    results = Results(
        labels=np.array(labels, np.int32),
        predicted=np.array([0, 2, 1, 0, 1], np.int32),
        probabilities=np.array([0.9, 0.8, 0.7, 0.6, 0.55], np.float32),
        in_top_5=np.ones(5, bool),
        losses=np.ones(5, np.float32),
        shards=np.array([0, 0, 0, 1, 1], np.int32),
        records=np.array([0, 1, 2, 0, 1], np.int32),
    )

    def write(**flags):
        reporter = reports.Reporter(
            str(tmp_path / "eval"),
            coloured_images.get_split(data, "test"),
            model_name="m",
            labels_offset=0,
            **flags,
        )
        reporter.write(
            results, checkpoint_path="/run/a", step=5, uses_moving_average=False
        )
        return tmp_path / "eval" / "gallery.html"

    return write


def test_each_image_has_its_label_prediction_and_color(write):
    text = write(gallery=5).read_text(encoding="utf-8")
    assert (
        "5 of 5 images, evenly spaced:\n3 right (green, ✓),\n2 wrong (red, ✗)" in text
    )
    cards = re.findall(r'<figure class="(\w+)">(.*?)</figure>', text, re.DOTALL)
    assert [kind for kind, _ in cards] == ["right", "wrong", "wrong", "right", "right"]
    words = [re.sub(r"<[^>]*>|\s+", " ", card).split() for _, card in cards]
    assert words[0][:5] == ["✓", "red", "90.0%", "labeled", "red"]
    assert words[1][:5] == ["✗", "blue", "80.0%", "labeled", "green"]
    assert words[4] == ["✓", "green", "55.0%", "labeled", "green", "last.png"]
    assert "&lt;b&gt;.png" in text
    assert not re.search(r"http|<script|<link", text)
    assert text.count('src="data:image/jpeg') == 5


def test_no_gallery_of_an_earlier_evaluation_stays(write):
    assert len(re.findall("<figure", write(gallery=2).read_text())) == 2
    assert not write().exists()
