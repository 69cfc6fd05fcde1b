"""The stages without a recipe: the head, then what a probe recommends."""

import dataclasses
import json
import os
from collections.abc import Mapping
from typing import Any

from config import without_effect
from engine.probing import opening
from fine_tuning.headings import Stage
from fine_tuning.stage_commands import WEIGHTS

# The only linear layer is solved: no rate to choose, and no better head to be had.
HEAD = Stage(
    "head",
    (
        "--checkpoint_exclude_scopes=head",
        "--trainable_scopes=head",
        "--head_solver=logistic",
        "--feature_cache=disk",
    ),
)
# What opens blocks, whichever those are.
OPENING = Stage("top", (*opening.ARGUMENTS, "--feature_cache=disk"), (HEAD.name,))
# Flags that only steps heed, but that say what is wanted of a head, too: such a flag is
# refused, and those of the steps themselves hold for the other stages.
_OF_THE_CLASSES = {"class_weights", "focal_gamma", "sampling"}
_SHORTER = "shorter"
_LEAST_SHARE = 0.1  # of the net's arithmetic: less is hardly more than the head


def shorter(found: Mapping[str, Any]) -> Stage | None:
    """The stage that ends the net where a probe says it should, with a solved head.

    Args:
      found: the content of probe.json.

    Returns:
      The stage; None if the net's own end is as good, or no other can be.
    """
    if not found.get("better_end"):
        return None
    arguments = (*HEAD.arguments, f"--final_endpoint={found['better_end']}")
    return Stage(_SHORTER, arguments, (WEIGHTS,))


def without_steps(values: Mapping[str, Any], stage: Stage) -> dict[str, Any]:
    """Flags of the command line without those that have no meaning for a stage."""
    if not set(HEAD.arguments) <= set(stage.arguments):
        return dict(values)
    dropped = without_effect.of_steps() - _OF_THE_CLASSES
    return {name: value for name, value in values.items() if name not in dropped}


def read_probe(folder: str) -> dict[str, Any] | None:
    """What a finished probe found; None if there is none."""
    try:
        with open(os.path.join(folder, "probe.json"), encoding="utf-8") as file:
            return dict(json.load(file))
    except FileNotFoundError:
        return None


def why_no_gain(found: Mapping[str, Any], accuracies: Mapping[str, float]) -> str:
    """Why nothing is expected from training blocks of the whole net; "" if it is.

    Args:
      found: the content of probe.json.
      accuracies: of the stages so far, by name, in [0, 1].
    """
    if found["depths"][-1]["train_accuracy"] == 1:
        return "the solved head classifies every training image correctly"
    if found["is_similar"] and found["still_rises"]:
        return "the net's own features suit the images, which are few"
    # No block gained as much as that; benchmarks/README.md has the figures.
    if accuracies.get(_SHORTER, 0.0) > accuracies.get(HEAD.name, 1.0):
        return f"the net that ends at {found['better_end']} is better as it is"
    return ""


def top(found: Mapping[str, Any]) -> Stage:
    """The stage that opens the blocks after the depth that did best in the trials.

    Without trials, after the depth that the probe chose; where that is the last one,
    after which there is nothing but the head, those that hold a tenth of the net's
    arithmetic.

    Args:
      found: the content of probe.json.
    """
    depths = found["depths"]
    tried = [trial["end_point"] for trial in found["trials"]]
    name = tried[0] if tried else found["chosen"]
    chosen = next(d for d in depths if d["end_point"] == name)
    if chosen is depths[-1]:
        earlier = [d for d in depths if d["flops_after"] >= _LEAST_SHARE]
        chosen = earlier[-1] if earlier else depths[0]
    scopes = ",".join(found["trainable_scopes"][chosen["end_point"]])
    arguments = (f"--trainable_scopes={scopes}", *OPENING.arguments)
    return dataclasses.replace(OPENING, arguments=arguments)
