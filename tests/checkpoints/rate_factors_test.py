"""Factors of the learning rate by scope and by depth, worked by hand."""

import pytest

from checkpoints import rate_factors
from errors import UserError

NAMES = [
    *("Net/Conv_1/weights", "Net/Conv_1/BatchNorm/beta"),
    *("Net/Block_2/a/weights", "Net/AuxLogits/weights", "Net/Block_2/b/weights"),
    *("Net/Block_3/weights", "Net/Logits/weights"),
]
HEAD = ("Net/Logits", "Net/AuxLogits")
TRAINED = NAMES[2:]


def by_scope(text, trained=TRAINED):
    return rate_factors.by_scope(rate_factors.parse(text), NAMES, trained, HEAD)


def by_depth(decay, trained=NAMES):
    return rate_factors.by_depth(decay, NAMES, trained, HEAD)


def test_the_first_match_wins():
    assert by_scope("Net/Block_2/a = 0.3, head=1,.*=0.1") == {
        "Net/Block_2/a/weights": 0.3,
        "Net/AuxLogits/weights": 1.0,
        "Net/Logits/weights": 1.0,
        "Net/Block_2/b/weights": 0.1,
        "Net/Block_3/weights": 0.1,
    }
    assert by_scope(None) == {}
    assert by_scope("head=2") == dict.fromkeys((NAMES[3], NAMES[6]), 2.0)


@pytest.mark.parametrize(
    "text", ["head", "head=", "=0.1", "head=x", "head=-1", "head=inf", "head=nan"]
)
def test_what_is_no_pair_is_refused(text):
    with pytest.raises(UserError, match=f"{text}: expected scope=factor pairs"):
        by_scope(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("head=0", "head=0 would freeze .* --trainable_scopes to freeze"),
        ("head=1e-40", "head=1e-40 would freeze .* --trainable_scopes to freeze"),
        ("Net/Blok_2=0.1", "no variable matches .* nearest scopes are Net/Block_2, "),
        ("Net/Conv_1=0.1", "nothing that Net/Conv_1 matches is trained; .*: Net/Block"),
        (".*=0.1,head=1", "head comes too late: .* move it to the front"),
        ("head=1,,.*=0.1", "empty entry"),
    ],
)
def test_a_multiplier_that_would_do_nothing_is_refused(text, message):
    with pytest.raises(UserError, match=message) as raised:
        by_scope(text)
    assert "\n" not in str(raised.value)
    assert str(raised.value).startswith("--learning_rate_multipliers")


def test_layer_decay_counts_from_the_head():
    # Four blocks: Conv_1, Block_2, Block_3 and the head, the auxiliary one included.
    assert by_depth(0.5) == {
        "Net/Conv_1/weights": 0.125,
        "Net/Conv_1/BatchNorm/beta": 0.125,
        "Net/Block_2/a/weights": 0.25,
        "Net/AuxLogits/weights": 1.0,
        "Net/Block_2/b/weights": 0.25,
        "Net/Block_3/weights": 0.5,
        "Net/Logits/weights": 1.0,
    }


def test_a_cell_of_a_net_without_a_root_scope_is_a_block():
    names = ["conv0/weights", "cell_0/left/weights", "cell_0/right/a/weights"]
    names += ["cell_1/left/weights", "final_layer/FC/weights"]
    assert rate_factors.by_depth(0.5, names, names, ["final_layer/FC"]) == {
        "conv0/weights": 0.125,
        "cell_0/left/weights": 0.25,
        "cell_0/right/a/weights": 0.25,
        "cell_1/left/weights": 0.5,
        "final_layer/FC/weights": 1.0,
    }


def test_layer_decay_does_not_depend_on_what_is_frozen():
    assert by_depth(0.5, TRAINED) == {n: by_depth(0.5)[n] for n in TRAINED}


def test_layer_decay_of_the_head_alone_is_refused():
    with pytest.raises(
        UserError, match=r"--layer_decay=0\.5 .* only the head is trained"
    ):
        by_depth(0.5, ["Net/Logits/weights"])


def test_layer_decay_that_float32_cannot_hold_is_refused():
    assert by_depth(1e-9)["Net/Conv_1/weights"] == pytest.approx(1e-27)
    with pytest.raises(UserError, match=r"=1e-11 would freeze Net/Conv_1, 3 blocks"):
        by_depth(1e-11)
    assert by_depth(1e-11, TRAINED)["Net/Block_2/a/weights"] == pytest.approx(1e-22)
