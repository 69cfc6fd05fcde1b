"""The plan, on a net small enough to work out by hand."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from checkpoints import plan as plans
from checkpoints import plan_text, scopes
from errors import UserError

# Two blocks of a convolution with batch norm, an auxiliary head and a head.
SHAPES: dict[str, tuple[int, ...]] = {
    "Net/Block_1/conv/weights": (3, 3, 3, 8),
    "Net/Block_1/conv/BatchNorm/beta": (8,),
    "Net/Block_1/conv/BatchNorm/moving_mean": (8,),
    "Net/Block_1/conv/BatchNorm/moving_variance": (8,),
    "Net/Block_2/conv/weights": (1, 1, 8, 16),
    "Net/Block_2/conv/BatchNorm/beta": (16,),
    "Net/Block_2/conv/BatchNorm/moving_mean": (16,),
    "Net/Block_2/conv/BatchNorm/moving_variance": (16,),
    "Net/AuxLogits/fc/weights": (8, 5),
    "Net/Logits/fc/weights": (16, 5),
    "Net/Logits/fc/biases": (5,),
}
NAMES = list(SHAPES)
TRAINABLE = [name for name in NAMES if "/moving_" not in name]
BODY = NAMES[:8]
HEAD = ("Net/Logits", "Net/AuxLogits")
# As published: another number of classes, and what training leaves behind.
CHECKPOINT = {
    **SHAPES,
    "Net/AuxLogits/fc/weights": (8, 1001),
    "Net/Logits/fc/weights": (16, 1001),
    "Net/Logits/fc/biases": (1001,),
    "Net/Logits/fc/weights/Momentum": (16, 1001),
    "global_step": (),
}
PATH = "/ckpt/model.ckpt"
NORMS = ("Net/Block_1/conv/BatchNorm", "Net/Block_2/conv/BatchNorm")


def choose(exclude="", checkpoint=CHECKPOINT, shapes=SHAPES, ignore_missing_vars=False):
    return plans.choose_restored(
        shapes,
        PATH,
        checkpoint,
        exclude_scopes=scopes.parse_scopes(exclude, flag="checkpoint_exclude_scopes"),
        ignore_missing_vars=ignore_missing_vars,
        head_scopes=HEAD,
    )


def make(trainable="", *, restored=(), checkpoint=None, freeze_batch_norm=True):
    return plans.make_plan(
        SHAPES,
        TRAINABLE,
        restored=restored,
        checkpoint_path=PATH if checkpoint else None,
        checkpoint_names=list(checkpoint or ()),
        trainable_scopes=scopes.parse_scopes(trainable, flag="trainable_scopes"),
        head_scopes=HEAD,
        freeze_batch_norm=freeze_batch_norm,
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


# What a warm start takes from the checkpoint.


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


# What is trained and what is frozen.


def test_without_scopes_everything_is_trained():
    plan = make()
    assert plan.trained_names == TRAINABLE
    assert plan.restored_names == []
    assert plan.updating_batch_norms == NORMS
    assert plan.frozen_batch_norms == ()


def test_batch_norms_outside_the_trained_scopes_are_frozen():
    plan = make("head")
    assert plan.trained_names == NAMES[8:]
    assert (plan.frozen_batch_norms, plan.updating_batch_norms) == (NORMS, ())
    plan = make("Net/Block_2,head")
    assert plan.trained_names == [NAMES[4], NAMES[5], *NAMES[8:]]
    assert plan.frozen_batch_norms == NORMS[:1]
    assert plan.updating_batch_norms == NORMS[1:]


def test_training_weights_alone_leaves_their_batch_norm_frozen():
    plan = make("Net/Block_2/conv/weights")
    assert plan.frozen_batch_norms == NORMS


def test_training_beta_alone_updates_its_batch_norm():
    plan = make("Net/Block_1/.*/beta")
    assert plan.updating_batch_norms == NORMS[:1]


def test_slims_batch_norms_all_update():
    plan = make("head", freeze_batch_norm=False)
    assert plan.trained_names == NAMES[8:]
    assert (plan.frozen_batch_norms, plan.updating_batch_norms) == ((), NORMS)


def test_moving_statistics_are_never_trained():
    plan = make("Net")
    assert plan.trained_names == TRAINABLE
    with pytest.raises(UserError, match="--trainable_scopes: no variable matches"):
        make("Net/Block_1/conv/BatchNorm/moving_mean")


def test_a_scope_twice_is_trained_once():
    assert make("head,Net/Logits,head").trained_names == NAMES[8:]


# What is printed.


def fine_tuning(trainable="head"):
    restored = choose("head")
    return make(trainable, restored=restored, checkpoint=CHECKPOINT)


def test_the_table_of_fine_tuning_the_head():
    assert plan_text.table_rows(fine_tuning()) == [
        ["Net/Block_1", "4", "240", "restored", "frozen", "frozen"],
        ["Net/Block_2", "4", "176", "restored", "frozen", "frozen"],
        ["Net/AuxLogits", "1", "40", "fresh", "trained", ""],
        ["Net/Logits", "2", "85", "fresh", "trained", ""],
        ["total", "11", "541", "8 restored, 3 fresh", "3 trained, 4 frozen", "frozen"],
    ]


def test_a_block_that_is_trained_in_part():
    rows = plan_text.table_rows(fine_tuning("Net/Block_2/conv/weights,head"))
    assert rows[1][4:] == ["1 trained, 1 frozen", "frozen"]
    assert (
        plan_text.table_rows(fine_tuning("Net/Block_2"))[-1][5]
        == "1 updating, 1 frozen"
    )


def test_the_rates_have_a_column_where_they_differ():
    plan = fine_tuning("Net/Block_2,head")
    assert plan_text.headers(plan) == plan_text.HEADERS
    factors = {"Net/Block_2/conv/weights": 0.1, "Net/Block_2/conv/BatchNorm/beta": 0.1}
    assert plans.with_rate_factors(plan, factors | {"Net/Block_1": 7}).rate_factors == (
        dict.fromkeys(factors, 0.1)
    )
    plan = plans.with_rate_factors(plan, {**factors, "Net/Logits/fc/weights": 0.5})
    assert plan_text.headers(plan)[-1] == "rate"
    rates = {row[0]: row[-1] for row in plan_text.table_rows(plan)}
    assert rates == {
        "Net/Block_1": "",
        "Net/Block_2": "× 0.1",
        "Net/AuxLogits": "× 1",
        "Net/Logits": "× 0.5–1",
        "total": "× 0.1–1",
    }
    assert plan_text.as_markdown(plan).splitlines()[2].endswith("| rate |")


def test_what_is_left_in_the_checkpoint():
    plan = fine_tuning()
    assert plan.unused == (
        "Net/AuxLogits/fc/weights",
        "Net/Logits/fc/weights",
        "Net/Logits/fc/biases",
        "Net/Logits/fc/weights/Momentum",
    )
    unused = plan_text.as_text(plan).splitlines()[-1]
    assert unused == (
        "left in the checkpoint unused: 4 (Net/Logits 3, Net/AuxLogits 1)"
    )


def test_the_printed_plan():
    lines = [x for x in plan_text.as_text(fine_tuning()).splitlines() if x]
    assert lines[0] == "plan (/ckpt/model.ckpt)"
    assert " ".join(lines[1].split()) == " ".join(plan_text.HEADERS)
    assert " ".join(lines[3].split()) == "Net/Block_1 4 240 restored frozen frozen"


def test_a_plan_without_a_checkpoint():
    printed = plan_text.as_text(make())
    assert printed.startswith("plan (no checkpoint, all weights are random)")
    assert "unused" not in printed
    assert "restored" not in printed


def test_the_plan_as_markdown():
    text = plan_text.as_markdown(fine_tuning())
    title, rest = text.split("\n\n")
    assert title == "plan (/ckpt/model.ckpt)"
    assert rest.splitlines()[1] == "| --- | --- | --- | --- | --- | --- |"
    assert rest.splitlines()[2] == (
        "| Net/Block_1 | 4 | 240 | restored | frozen | frozen |"
    )


def test_the_scopes_of_a_net():
    lines = plan_text.scopes_as_text(SHAPES).splitlines()
    assert lines[0].split() == ["scope", "variables", "parameters"]
    assert [line.split() for line in lines[2:]] == [
        ["Net/Block_1", "4", "240"],
        ["Net/Block_2", "4", "176"],
        ["Net/AuxLogits", "1", "40"],
        ["Net/Logits", "2", "85"],
    ]
