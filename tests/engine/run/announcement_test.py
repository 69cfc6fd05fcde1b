"""What a run says of its options before its first step."""

import logging

import pytest

from tests.engine import coloured_images, small_runs

pytestmark = pytest.mark.filterwarnings("ignore:`layer:UserWarning")


def test_what_surprises_is_said(tmp_path, caplog):
    caplog.set_level(logging.INFO, logger="absl")
    colours = [0] * 6 + [1] * 2
    folder = coloured_images.write_split(tmp_path, "train", colours, colours)
    flags = {"dataset_dir": folder, "train_dir": tmp_path / "run", "dry_run": True}

    def said(words):
        return sum(words in message for message in caplog.messages)

    assert small_runs.train(**flags) == 0
    assert not said("adam")
    assert not said("class weights")
    assert small_runs.train(**flags, optimizer="adam", class_weights="balanced") == 0
    assert said("adam with --opt_epsilon=1, slim's default, hardly moves") == 1
    # 8 images of 2 classes that have some: 8 / (2 * 6) and 8 / (2 * 2).
    assert said("class weights: balanced, from 0.667 to 2") == 1
