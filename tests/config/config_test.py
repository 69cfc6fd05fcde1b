"""Options out of their limits, and options that contradict each other."""

import dataclasses
import math
import typing
from typing import Any

import pytest

from config.eval_config import EvalConfig
from config.train_config import TrainConfig
from config.training.fine_tune_options import FineTuneOptions
from config.training.schedule_options import ScheduleOptions
from errors import UserError

GROUPS = sorted(
    {
        group
        for script in (TrainConfig, EvalConfig)
        for group in typing.get_type_hints(script).values()
    },
    key=lambda group: group.__name__,
)
OPTIONS = [(group, f) for group in GROUPS for f in dataclasses.fields(group)]


def train(**options):
    """A `TrainConfig` with the options wherever they belong."""
    options = {"dataset_dir": "/data", **options}
    groups = {
        name: group(
            **{
                f.name: options.pop(f.name)
                for f in dataclasses.fields(group)
                if f.name in options
            }
        )
        for name, group in typing.get_type_hints(TrainConfig).items()
    }
    assert not options, f"no such option: {options}"
    return TrainConfig(**groups)


def refusal(group, name, value):
    with pytest.raises(UserError) as error:
        group(**{name: value})
    message = str(error.value)
    assert message.startswith(f"--{name}={value}: expected ")
    return message.partition("expected ")[2]


def with_limit(kind):
    return [
        pytest.param(group, f.name, f.metadata[kind], id=f"{group.__name__}-{f.name}")
        for group, f in OPTIONS
        if f.metadata[kind] not in (None, ())
    ]


@pytest.mark.parametrize("group", GROUPS)
def test_the_defaults_are_within_their_limits(group):
    options = group()
    for field in dataclasses.fields(group):
        assert getattr(options, field.name) == field.default


@pytest.mark.parametrize(("group", "name", "limit"), with_limit("minimum"))
def test_minimum(group, name, limit):
    assert getattr(group(**{name: limit}), name) == limit
    assert refusal(group, name, limit - 1) == f"{limit} or more"


@pytest.mark.parametrize(("group", "name", "limit"), with_limit("maximum"))
def test_maximum(group, name, limit):
    assert getattr(group(**{name: limit}), name) == limit
    assert refusal(group, name, limit + 1) == f"{limit} or less"


@pytest.mark.parametrize(("group", "name", "limit"), with_limit("above"))
def test_values_must_be_above(group, name, limit):
    assert getattr(group(**{name: limit + 0.5}), name) == limit + 0.5
    assert refusal(group, name, limit) == f"more than {limit}"


@pytest.mark.parametrize(("group", "name", "choices"), with_limit("choices"))
def test_choices(group, name, choices):
    for choice in choices:
        group(**{name: choice})
    assert refusal(group, name, "adamm") == f"one of {', '.join(choices)}"


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_numbers_must_be_finite(value):
    expected = refusal(ScheduleOptions, "learning_rate", value)
    assert expected == "a finite number"


def test_numbers_that_float32_rounds_to_zero_are_refused():
    expected = refusal(ScheduleOptions, "learning_rate", 1e-40)
    assert expected.startswith("0 or at least 1.18e-38")
    assert ScheduleOptions(learning_rate=1e-37).learning_rate == 1e-37
    expected = refusal(FineTuneOptions, "layer_decay", 1e-40)
    assert expected.startswith("at least 1.18e-38")  # it has to be more than 0


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("batch_size", 0),
        ("max_number_of_steps", 0),
        ("max_number_of_steps", -5),
        ("num_clones", 0),
        ("label_smoothing", 1.5),
        ("learning_rate", -0.1),
        ("optimizer", "lars"),
        ("learning_rate_decay_type", "cosin"),
        ("num_epochs_per_decay", 0.0),
        ("moving_average_decay", 1.1),
    ],
)
def test_what_slim_takes_and_then_fails_on(name, value):
    with pytest.raises(UserError, match=f"^--{name}={value}: expected "):
        train(**{name: value})


def test_an_option_that_is_unset_has_no_limits():
    assert train(max_number_of_steps=None).run.max_number_of_steps is None


def test_options_cannot_be_changed():
    options = train()
    with pytest.raises(dataclasses.FrozenInstanceError):
        options.run.num_clones = 2


def test_a_data_set_is_required():
    with pytest.raises(UserError, match="--dataset_dir is missing"):
        train(dataset_dir=None)


def test_listing_scopes_needs_no_data_set():
    assert train(dataset_dir=None, list_scopes=True).fine_tune.list_scopes


def test_one_end_of_training_at_most():
    train(max_number_of_steps=5)
    train(max_number_of_epochs=0.5)
    with pytest.raises(UserError, match="both given: give only one"):
        train(max_number_of_steps=5, max_number_of_epochs=0.5)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"dry_run": True}, {"find_learning_rate": True}),
        ({"list_scopes": True}, {"find_learning_rate": True}),
        ({"list_scopes": True}, {"dry_run": True}),
        ({"learning_rate_multipliers": "head=1"}, {"layer_decay": 0.75}),
        ({"class_weights": "balanced"}, {"sampling": "balanced"}),
        ({"class_weights": "effective"}, {"sampling": "balanced"}),
        ({"focal_gamma": 2.0}, {"label_smoothing": 0.1}),
        ({"focal_gamma": 2.0}, {"mixup_alpha": 0.2}),
        ({"focal_gamma": 2.0}, {"cutmix_alpha": 1.0}),
    ],
)
def test_flags_that_contradict_each_other_are_both_named(one, other):
    train(**one)
    train(**other)
    with pytest.raises(UserError) as raised:
        train(**one, **other)
    for name in (*one, *other):
        assert f"--{name}" in str(raised.value)


MIXED = {"mixed_in_split_name": "pseudo", "mixed_in_fraction": 0.25}


@pytest.mark.parametrize(
    "other",
    [
        {"feature_cache": "memory"},
        {"sampling": "balanced"},
        {"class_weights": "balanced"},
        {"eval_split_name": "pseudo"},
    ],
)
def test_what_cannot_go_with_a_split_that_is_mixed_in(other):
    train(**MIXED)
    train(**other)
    with pytest.raises(
        UserError, match="--mixed_in_split_name=pseudo cannot go with"
    ) as raised:
        train(**MIXED, **other)
    assert f"--{next(iter(other))}={next(iter(other.values()))}" in str(raised.value)


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ({"mixed_in_split_name": "pseudo"}, "need each other"),
        ({"mixed_in_fraction": 0.25}, "need each other"),
        ({"mixed_in_after_epochs": 2.0}, "need each other"),
        (MIXED | {"dataset_split_name": "pseudo"}, "--dataset_split_name itself"),
        (MIXED | {"batch_size": 2}, "--batch_size=2 rounds to 0 images"),
        (MIXED | {"mixed_in_fraction": 1.0}, "--batch_size=32 rounds to 32 images"),
    ],
)
def test_a_split_that_is_mixed_in_needs_a_share(flags, message):
    with pytest.raises(UserError, match=message):
        train(**flags)


@pytest.mark.parametrize(
    "flags",
    [
        {"learning_rate_multipliers": "head=0.1"},
        {"layer_decay": 0.75},
        {"starting_point_decay": 0.01},
        {"class_weights": "balanced"},
        {"focal_gamma": 2.0},
        {"sampling": "balanced"},
    ],
)
def test_flags_of_steps_have_no_meaning_where_the_head_is_solved(flags):
    solved: dict[str, Any] = {"head_solver": "logistic", "trainable_scopes": "head"}
    solved |= {"feature_cache": "memory", "feature_cache_views": 1}
    train(**solved)
    with pytest.raises(UserError, match="has no effect with --head_solver=logistic"):
        train(**solved, **flags)


@pytest.mark.parametrize("name", ["eval_every_n_steps", "early_stopping_patience"])
def test_validation_needs_a_split(name):
    train(eval_split_name="validation", **{name: 3})
    with pytest.raises(UserError, match="has no effect without --eval_split_name"):
        train(**{name: 3})


def test_the_global_batch_decides_on_the_accumulated_batches():
    config = train(batch_size=8, global_batch_size=32)
    steps = [
        config.for_machines(n).optimizer.gradient_accumulation_steps for n in (1, 2, 4)
    ]
    assert steps == [4, 2, 1]
    assert train(batch_size=8).for_machines(3) == train(batch_size=8)
    with pytest.raises(UserError, match="not a multiple of the 24 images"):
        config.for_machines(3)
    both = train(global_batch_size=64, gradient_accumulation_steps=2)
    with pytest.raises(UserError, match="leave one of them out"):
        both.for_machines(1)
