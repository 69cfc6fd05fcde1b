"""The page of an evaluation of the finished run: whole, alone, and safe."""

import html.parser
import json
import os
import re

import numpy as np
import pytest
import tensorflow as tf

from common import tables
from config.eval_config import EvalConfig, EvalOptions
from config.shared_options import DataOptions, ModelOptions
from engine import evaluate
from engine.report import report_page, thumbnails
from tests.engine import coloured_images


class _Page(html.parser.HTMLParser):
    """Checks that tags are closed in order; keeps what they say."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""

    def handle_starttag(self, tag, attrs) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in ("meta", "img", "br", "wbr"):
            self.open.append(tag)

    def handle_endtag(self, tag) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data) -> None:
        self.text += data if "style" not in self.open else ""


@pytest.fixture(scope="module")
def page(small_net, full_run, tmp_path_factory):
    """The page for images of which some are labelled wrongly, parsed."""
    colours = [0, 1, 2, 0, 1, 2, 0]
    labels = [0, 1, 2, 0, 1, 2, 1]
    return evaluated(full_run, tmp_path_factory.mktemp("page"), colours, labels)


def evaluated(full_run, folder, colours, labels):
    """An evaluation's page, as text and parsed, and its metrics."""
    names = [None, "<b>.png", *(f"{i}.png" for i in range(5))][: len(labels)]
    coloured_images.write_split(
        folder / "data", "test", colours, labels, filenames=names
    )
    config = EvalConfig(
        DataOptions(
            dataset_name=coloured_images.NAME, dataset_dir=str(folder / "data")
        ),
        ModelOptions(),
        EvalOptions(
            checkpoint_path=str(full_run),
            eval_dir=str(folder / "eval"),
            batch_size=7,
            report=True,
        ),
    )
    assert evaluate.evaluate(config, given=frozenset()) == 0
    text = (folder / "eval" / "report.html").read_text(encoding="utf-8")
    parsed = _Page()
    parsed.feed(text)
    assert parsed.open == []
    metrics = json.loads((folder / "eval" / "metrics.json").read_text())
    return text, parsed, metrics


def test_nothing_is_loaded_from_elsewhere(page):
    text, parsed, _ = page
    assert {tag for tag, _ in parsed.tags} & {"script", "link", "iframe"} == set()
    sources = [attrs["src"] for _, attrs in parsed.tags if "src" in attrs]
    assert len(sources) >= 5
    assert all(source.startswith("data:image/") for source in sources)
    assert not re.search(r"url\(|@import|http", text)


def test_every_part_is_there_with_the_evaluations_figures(page):
    _, parsed, metrics = page
    ids = {attrs["id"] for tag, attrs in parsed.tags if tag == "section"}
    assert ids == {
        *("curves", "confusion", "classes", "calibration", "mistakes"),
        *("label_errors", "plan", "command"),
    }
    assert f"accuracy{100 * metrics['accuracy']:.1f}%" in parsed.text
    assert f"{metrics['loss']:.3f}" in parsed.text
    assert "among the first 5" not in parsed.text, "it has three classes"
    assert "Tiny/Logits" in parsed.text  # of the plan
    assert "most confused with" in parsed.text
    assert f"cd {os.getcwd()}\npython " in parsed.text
    mistaken = round(7 * (1 - metrics["accuracy"]))
    assert mistaken
    assert f"{mistaken} wrong" in parsed.text
    cards = [a["alt"] for tag, a in parsed.tags if tag == "img" and a.get("loading")]
    assert len(cards) >= mistaken


def test_a_class_without_images_has_no_recall(small_net, full_run, tmp_path):
    text, _, _ = evaluated(full_run, tmp_path, [0, 1, 0], [0, 1, 0])
    table = text.partition('id="classes"')[2].partition("</section>")[0]
    rows = re.findall(r"<tr><td>\w+</td><td>(\d+)</td>(.*?)</tr>", table, re.DOTALL)
    dashes = [(int(images), row.count("<td>–</td>")) for images, row in rows]
    assert sorted(dashes) == [(0, 2), (1, 0), (2, 0)]


def test_thumbnails_are_of_their_records(tmp_path):
    folder = coloured_images.write_split(tmp_path, "test", [0, 1, 2, 1], [0, 1, 2, 1])
    dataset = coloured_images.get_split(folder, "test")
    pictures = thumbnails.read(dataset, [(0, 2), (1, 0)])
    assert set(pictures) == {(0, 2), (1, 0)}
    for place, colour in (((0, 2), 2), ((1, 0), 1)):
        content = pictures[place].partition("base64,")[2]
        web_safe = content.replace("+", "-").replace("/", "_").rstrip("=")
        pixels = tf.io.decode_jpeg(tf.io.decode_base64(web_safe)).numpy()
        assert np.argmax(pixels.mean((0, 1))) == colour


def test_a_plans_markdown_becomes_a_table_with_trained_rows_first():
    frozen, trained, mixed = ["a", "frozen"], ["b", "trained"], ["c", "1 trained, …"]
    header, total = ["scope", "training"], ["total", "frozen"]
    table = tables.markdown_table(header, [frozen, trained, mixed, ["d", ""], total])
    assert report_page._plan_table(f"plan (x.ckpt)\n\n{table}") == (
        "plan (x.ckpt)",
        [header, trained, mixed, frozen, ["d", ""], total],
    )
    assert report_page._plan_table(None) is None
