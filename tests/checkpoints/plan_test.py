"""The plan, on a net small enough to work out by hand."""

import pytest

from checkpoints import plan as plans
from checkpoints import plan_text, scopes
from errors import UserError
from tests.checkpoints.small_variables import (
    BODY,
    CHECKPOINT,
    HEAD,
    NAMES,
    NORMS,
    PATH,
    SHAPES,
    TRAINABLE,
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
    return make(trainable, restored=BODY, checkpoint=CHECKPOINT)


def test_the_table_of_fine_tuning_the_head():
    assert plan_text.table_rows(fine_tuning()) == [
        ["Net/Block_1", "4", "240", "restored", "frozen", "frozen"],
        ["Net/Block_2", "4", "176", "restored", "frozen", "frozen"],
        ["Net/AuxLogits", "1", "40", "new", "trained", ""],
        ["Net/Logits", "2", "85", "new", "trained", ""],
        ["total", "11", "541", "8 restored, 3 new", "3 trained, 4 frozen", "frozen"],
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
        "left in the checkpoint unused: variables: 3 (Net/Logits 2, Net/AuxLogits 1);"
        " optimizer slots and moving averages: 1"
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
