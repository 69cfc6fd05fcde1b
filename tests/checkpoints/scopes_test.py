"""The scope rule, on names as slim's nets have them. Needs no TensorFlow."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from checkpoints import scopes
from errors import UserError

NAMES = (
    "InceptionV3/Conv2d_1a_3x3/weights",
    "InceptionV3/Conv2d_1a_3x3/BatchNorm/beta",
    "InceptionV3/Mixed_6e/Branch_0/weights",
    "InceptionV3/Mixed_7a/Branch_0/weights",
    "InceptionV3/Mixed_7b/Branch_0/weights",
    "InceptionV3/Mixed_7b/Branch_0/BatchNorm/beta",
    "InceptionV3/Mixed_7c/Branch_0/weights",
    "InceptionV3/AuxLogits/Conv2d_2b_1x1/weights",
    "InceptionV3/Logits/Conv2d_1c_1x1/weights",
    "InceptionV3/Logits/Conv2d_1c_1x1/biases",
)
HEAD = ("InceptionV3/Logits", "InceptionV3/AuxLogits")

# Names whose parts repeat and contain each other, as cell_1 and cell_10 do.
parts = st.sampled_from(["cell_1", "cell_10", "conv", "Logits", "weights", "a.b", "+"])
names = st.lists(parts, min_size=1, max_size=4).map("/".join)
name_lists = st.lists(names, min_size=1, max_size=8, unique=True)
property_test = settings(max_examples=60, deadline=None)


def select(*wanted, names=NAMES, head_scopes=HEAD):
    return scopes.select(
        wanted, names, flag="trainable_scopes", head_scopes=head_scopes
    )


@pytest.mark.parametrize(
    ("scope", "positions"),
    [
        ("InceptionV3/Mixed_7", [3, 4, 5, 6]),  # 7a to 7c
        ("InceptionV3/Mixed_7b", [4, 5]),
        ("InceptionV3/Mixed_7[ab]", [3, 4, 5]),
        ("InceptionV3/(Mixed_6e|Logits)", [2, 8, 9]),
        (".*/BatchNorm", [1, 5]),  # regular expressions may leave the start open
        ("InceptionV3/Logits/Conv2d_1c_1x1/biases", [9]),
        ("InceptionV3/L", [8, 9]),
        ("InceptionV3", list(range(10))),
    ],
)
def test_prefixes_and_regular_expressions(scope, positions):
    assert select(scope) == tuple(NAMES[i] for i in positions)


@pytest.mark.parametrize("scope", ["Mixed_7a", "Logits", "weights", "nceptionV3"])
def test_a_scope_is_anchored_at_the_start(scope):
    with pytest.raises(UserError, match="no variable matches"):
        select(scope)


def test_case_matters_as_in_slim():
    with pytest.raises(UserError, match="InceptionV3/Logits"):
        select("inceptionv3/logits")


def test_a_slash_stops_a_scope_at_its_own_name():
    cells = ("net/cell_1/weights", "net/cell_10/weights")
    assert select("net/cell_1", names=cells) == cells
    assert select("net/cell_1/", names=cells) == cells[:1]


def test_characters_that_mean_something_to_regular_expressions_are_also_text():
    odd = ("net/c++/weights", "net/a(b/weights")
    assert select("net/c++", names=odd) == odd[:1]
    assert select("net/a(", names=odd) == odd[1:]


def test_head_is_the_logits_and_the_auxiliary_logits():
    assert select("head") == NAMES[7:]


def test_head_of_a_net_built_without_its_auxiliary_branch():
    assert select("head", names=NAMES[8:]) == NAMES[8:]


def test_head_of_a_net_without_one():
    with pytest.raises(UserError, match="matches the scope head"):
        select("head", head_scopes=())


def test_overlapping_scopes_take_a_variable_once_in_the_nets_order():
    chosen = select("InceptionV3/Mixed_7b", ".*/Branch_0", "InceptionV3/Mixed_7")
    assert chosen == NAMES[2:7]


def test_no_scopes_choose_nothing():
    assert select() == ()


@pytest.mark.parametrize(
    ("typo", "meant"),
    [
        ("InceptionV3/Mixd_7a", "InceptionV3/Mixed_7a"),
        ("Mixed_7a", "InceptionV3/Mixed_7a"),  # the net's name forgotten
        ("inceptionv3/auxlogits", "InceptionV3/AuxLogits"),
        ("InceptionV3/Logit_", "InceptionV3/Logits"),
        ("logits", "InceptionV3/Logits"),
        ("hed", "head"),
    ],
)
def test_a_scope_that_matches_nothing_names_the_nearest(typo, meant):
    with pytest.raises(UserError) as caught:
        select("InceptionV3/Logits", typo)
    message = str(caught.value)
    assert message.startswith(
        f"--trainable_scopes: no variable matches the scope {typo}"
    )
    assert meant in re.split(r"nearest scopes are |, | \(", message)
    assert "\n" not in message


def test_nothing_near_names_nothing():
    with pytest.raises(UserError) as caught:
        select("zzz")
    assert "nearest" not in str(caught.value)
    assert "--list_scopes" in str(caught.value)


def test_a_broken_regular_expression_says_so():
    with pytest.raises(
        UserError, match=r"\(Mixed is not a regular expression: missing"
    ):
        select("InceptionV3/(Mixed")


def test_parsing():
    def parse(text):
        return scopes.parse_scopes(text, flag="trainable_scopes")

    assert parse(None) == parse("") == parse("  ") == ()
    assert parse("a/b") == ("a/b",)
    assert parse(" a/b ,c ") == ("a/b", "c")
    assert parse("b,a,b") == ("b", "a")  # each once, in order


@pytest.mark.parametrize("text", ["a,", ",a", "a,,b", ",", "a, ,b"])
def test_a_stray_comma_is_refused(text):
    """In slim it excludes everything, or trains everything twice."""
    with pytest.raises(UserError, match="remove the stray comma") as caught:
        scopes.parse_scopes(text, flag="checkpoint_exclude_scopes")
    assert f"--checkpoint_exclude_scopes={text} " in str(caught.value)


def test_all_scopes():
    assert scopes.all_scopes(["a/b/weights", "a/c/weights", "bias"]) == [
        "a",
        "a/b",
        "a/c",
    ]


def test_nearest_scopes_are_at_most_so_many_and_exist():
    near = scopes.nearest_scopes("InceptionV3/Mixed_7d", NAMES, count=2)
    assert len(near) == 2
    assert set(near) <= set(scopes.all_scopes(NAMES))


@property_test
@given(name_lists, st.data())
def test_every_scope_of_a_net_matches_what_is_in_it(names, data):
    known = scopes.all_scopes(names)
    if not known:
        return
    scope = data.draw(st.sampled_from(known))
    inside = {name for name in names if name.startswith(f"{scope}/")}
    assert inside <= set(select(scope, names=names))


@property_test
@given(name_lists, st.data())
def test_selection_is_the_union_in_the_nets_order_each_once(names, data):
    wanted = data.draw(st.lists(st.sampled_from(names), min_size=1, max_size=4))
    chosen = select(*wanted, names=names)
    assert set(chosen) == {n for w in wanted for n in select(w, names=names)}
    assert list(chosen) == [name for name in names if name in chosen]
    assert chosen == select(*reversed(wanted), *wanted, names=names)


@property_test
@given(st.text(max_size=12), name_lists)
def test_any_text_selects_something_or_is_refused(text, names):
    try:
        wanted = scopes.parse_scopes(text, flag="trainable_scopes")
        chosen = select(*wanted, names=names, head_scopes=())
    except UserError:
        return
    assert bool(chosen) == bool(text.strip())


@property_test
@given(name_lists)
def test_a_prefix_takes_what_slims_two_rules_take(names):
    """Slim excludes by startswith and trains by re.match: no name is lost by either."""
    for scope in names:
        by_prefix = {n for n in names if n.startswith(scope)}
        by_regex = {n for n in names if _re_match(scope, n)}
        assert set(select(scope, names=names)) == by_prefix | by_regex


def _re_match(scope, name):
    try:
        return re.match(scope, name)
    except re.error:
        return None


@pytest.mark.parametrize(
    ("name", "block"),
    [
        ("InceptionV3/Mixed_7a/Branch_0/Conv2d_0a_1x1/weights", "InceptionV3/Mixed_7a"),
        ("vgg_16/fc8/biases", "vgg_16/fc8"),
        ("net/weights", "net"),
        ("weights", ""),
    ],
)
def test_blocks_are_scopes_of_the_second_level(name, block):
    assert scopes.block_of(name) == block
