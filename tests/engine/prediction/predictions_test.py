"""Predictions in each of their forms, by hand."""

import csv
import io
import json
import re

import numpy as np

from engine.prediction import predictions
from engine.prediction.predictions import Guess, Prediction

FOUND = [
    Prediction("a.jpg", (Guess(1, 'cat, "tabby"', 0.75), Guess(2, "dog", 0.25))),
    Prediction("größe.jpg", (Guess(2, "dog", 1.0),)),
]


def test_the_likeliest_come_first_and_ties_in_order():
    probabilities = np.array([0.1, 0.3, 0.3, 0.2, 0.1], np.float32)
    found = predictions.likeliest(
        "a.jpg", probabilities, "vwxyz", top_k=3, labels_offset=1
    )
    assert [(g.label, g.name) for g in found.guesses] == [(2, "w"), (3, "x"), (4, "y")]
    assert found.guesses[0].probability == np.float32(0.3)
    everything = predictions.likeliest(
        "a", probabilities, "vwxyz", top_k=9, labels_offset=0
    )
    assert len(everything.guesses) == 5


BROKEN = Prediction("bad.jpg", (), f"it cannot be decoded: {'x' * 90}")


def test_a_broken_photo_has_a_line_with_its_reason():
    found = [FOUND[1], BROKEN, FOUND[1]]
    lines = predictions.as_table(found).splitlines()
    assert lines[3].split(maxsplit=1) == ["bad.jpg", "error: it cannot be decoded: …"]
    rows = list(csv.DictReader(io.StringIO(predictions.as_csv(found))))
    assert [row["photo"] for row in rows] == ["größe.jpg", "bad.jpg", "größe.jpg"]
    filled = {name: cell for name, cell in rows[1].items() if cell}
    assert filled == {"photo": "bad.jpg", "error": BROKEN.error}
    objects = list(map(json.loads, predictions.as_json_lines(found).splitlines()))
    assert objects[1] == {"photo": "bad.jpg", "classes": [], "error": BROKEN.error}
    assert set(objects[0]) == {"photo", "classes"}


def test_overview_is_one_line_a_photo_and_counts_classes():
    lines = predictions.as_overview([*FOUND, BROKEN, FOUND[1]]).splitlines()
    assert lines[0].split() == ["photo", "class", "probability", "runner-up"]
    cells = [re.split("   +", line.strip()) for line in lines[2:] if line]
    assert cells[:4] == [
        ["a.jpg", 'cat, "tabby"', "0.7500", "dog 0.2500"],
        ["größe.jpg", "dog", "1.0000"],
        ["bad.jpg", "error: it cannot be decoded: …"],
        ["größe.jpg", "dog", "1.0000"],
    ]
    assert cells[4] == ["class", "photos"]
    assert cells[6:] == [["dog", "2"], ['cat, "tabby"', "1"], ["(cannot be read)", "1"]]


def test_table_names_each_photo_once():
    lines = predictions.as_table(FOUND).splitlines()
    assert lines[0].split() == ["photo", "probability", "class"]
    assert [line.split() for line in lines[2:]] == [
        ["a.jpg", "0.7500", "cat,", '"tabby"'],
        ["0.2500", "dog"],
        ["größe.jpg", "1.0000", "dog"],
    ]


def test_csv_is_one_line_a_photo_and_class():
    rows = list(csv.DictReader(io.StringIO(predictions.as_csv(FOUND))))
    assert [row["rank"] for row in rows] == ["1", "2", "1"]
    assert rows[0] == {
        "photo": "a.jpg",
        "rank": "1",
        "label": "1",
        "class": 'cat, "tabby"',
        "probability": "0.750000",
        "error": "",
    }


def test_json_lines_are_one_object_a_photo():
    text = predictions.as_json_lines(FOUND)
    assert "größe" in text
    first, second = map(json.loads, text.splitlines())
    assert first["photo"] == "a.jpg"
    assert first["classes"][1] == {"class": "dog", "label": 2, "probability": 0.25}
    assert len(second["classes"]) == 1
