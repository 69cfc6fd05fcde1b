"""What a warm start takes from a checkpoint, and what an error advises."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from checkpoints import restored_names, scopes
from errors import UserError
from tests.checkpoints.small_variables import (
    BODY,
    CHECKPOINT,
    HEAD,
    NAMES,
    PATH,
    SHAPES,
)


def choose(exclude="", checkpoint=CHECKPOINT, shapes=SHAPES, ignore_missing_vars=False):
    return restored_names.choose(
        shapes,
        PATH,
        checkpoint,
        exclude_scopes=scopes.parse_scopes(exclude, flag="checkpoint_exclude_scopes"),
        ignore_missing_vars=ignore_missing_vars,
        head_scopes=HEAD,
    )


def message_of(error):
    message = str(error.value)
    assert "\n" not in message
    return message


def suggested(message):
    """The exclude flag's value that a message advises."""
    match = re.search(r"--checkpoint_exclude_scopes=(\S+)", message)
    assert match, message
    return match.group(1)


def test_everything_that_fits_is_restored():
    assert choose(checkpoint=SHAPES) == NAMES


@pytest.mark.parametrize("exclude", ["head", "Net/Logits,Net/AuxLogits", "Net/.*Logi"])
def test_excluded_scopes_start_afresh(exclude):
    assert choose(exclude) == BODY


def test_a_misspelt_exclusion_is_refused():
    with pytest.raises(UserError, match="nearest scopes are Net/Logits") as error:
        choose("Net/Logit_s,Net/AuxLogits")
    assert message_of(error).startswith("--checkpoint_exclude_scopes: ")


def test_another_shape_names_the_variable_both_shapes_and_the_flag_that_mends_it():
    with pytest.raises(UserError) as error:
        choose()
    message = message_of(error)
    assert (
        "Net/AuxLogits/fc/weights has the shape 8x1001 in /ckpt/model.ckpt" in message
    )
    assert "8x5 in the net (3 in all)" in message
    assert suggested(message) == "head"
    assert choose(suggested(message)) == BODY


def test_the_advice_keeps_what_was_excluded_already():
    with pytest.raises(UserError) as error:
        choose("Net/Block_1,Net/Logits")
    exclude = suggested(message_of(error))
    assert exclude == "Net/Block_1,Net/Logits,Net/AuxLogits"
    assert choose(exclude) == NAMES[4:8]


def test_another_shape_outside_the_head():
    checkpoint = {**SHAPES, "Net/Block_2/conv/weights": (3, 3, 8, 16)}
    with pytest.raises(UserError) as error:
        choose(checkpoint=checkpoint)
    message = message_of(error)
    assert "3x3x8x16 in /ckpt/model.ckpt and 1x1x8x16 in the net" in message
    assert choose(suggested(message), checkpoint) == NAMES[:4] + NAMES[8:]


def test_a_scalar_has_a_shape_too():
    shapes = {**SHAPES, "Net/Logits/scale": ()}
    with pytest.raises(UserError, match="and scalar in the net"):
        choose(checkpoint={**shapes, "Net/Logits/scale": (3,)}, shapes=shapes)


def test_mostly_other_shapes_are_another_net():
    """MobilenetV1 at another width, say: no exclusion can mend that."""
    checkpoint = {name: (*shape, 2) for name, shape in SHAPES.items()}
    with pytest.raises(UserError, match="check --model_name") as error:
        choose(checkpoint=checkpoint)
    assert "11 of 11 variables have other shapes" in message_of(error)
    assert "exclude_scopes" not in message_of(error)


def test_missing_variables_are_named_with_the_flags_that_help():
    checkpoint = {n: s for n, s in SHAPES.items() if "Block_2" not in n}
    with pytest.raises(UserError) as error:
        choose(checkpoint=checkpoint)
    message = message_of(error)
    assert "lacks 4 of the net's variables: Net/Block_2/conv/weights, " in message
    assert " and 1 more; " in message
    assert "--ignore_missing_vars" in message
    rest = NAMES[:4] + NAMES[8:]
    assert choose(suggested(message), checkpoint) == rest
    assert choose(checkpoint=checkpoint, ignore_missing_vars=True) == rest


def test_ignoring_missing_variables_does_not_ignore_shapes():
    with pytest.raises(UserError, match="has the shape 8x1001"):
        choose(ignore_missing_vars=True)


@pytest.mark.parametrize("ignore_missing_vars", [False, True])
def test_restoring_nothing_is_an_error(ignore_missing_vars):
    """Slim says "No Variables to restore" and trains from random weights."""
    with pytest.raises(UserError, match="holds none of the net's variables") as error:
        choose(checkpoint={"Other/w": (1,)}, ignore_missing_vars=ignore_missing_vars)
    message = message_of(error)
    assert "it has Other/w, the net has Net/Block_1/conv/weights, " in message
    assert "check --model_name and --checkpoint_path" in message


def test_excluding_everything_is_an_error():
    with pytest.raises(UserError, match="excludes every variable") as error:
        choose("Net")
    assert "omit --checkpoint_path" in message_of(error)


@settings(max_examples=60, deadline=None)
@given(st.sets(st.sampled_from(NAMES), max_size=5), st.sets(st.sampled_from(NAMES[:9])))
def test_following_the_advice_ends_in_a_restore(misshapen, missing):
    """Each message's exclusion is used in turn, until one of them works."""
    checkpoint = {
        name: (*shape, 2) if name in misshapen else shape
        for name, shape in SHAPES.items()
        if name not in missing
    }
    restored = follow_advice("", checkpoint, rounds=4)
    assert not set(restored) & (misshapen | missing)


def follow_advice(exclude, checkpoint, rounds):
    """What is restored in the end; nothing from another net's checkpoint."""
    assert rounds, f"no end of advice: {exclude}"
    try:
        return choose(exclude, checkpoint)
    except UserError as error:
        if "check --model_name" in str(error) or "excludes every" in str(error):
            return []
        return follow_advice(suggested(str(error)), checkpoint, rounds - 1)
