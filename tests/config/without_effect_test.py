"""Flags that need another one to have an effect: the table, row by row."""

import dataclasses
import typing

import pytest

from config import without_effect
from config.train_config import TrainConfig
from config.training.loss_options import LossOptions
from config.training.optimizer_options import OptimizerOptions
from config.training.schedule_options import ScheduleOptions
from config.without_effect import CONDITIONS, OPTIMIZER_FLAGS
from errors import UserError
from tests.config import conftest

define = conftest.command_line  # a fixture
FIELDS = {
    field.name: field
    for group in typing.get_type_hints(TrainConfig).values()
    for field in dataclasses.fields(group)
}
DEFAULTS = {name: field.default for name, field in FIELDS.items()}
# Of flags whose type is not told by their default.
OTHERS = {
    "end_learning_rate": 0.5,
    "shuffle": "whole",
    "moving_average_decay": 0.9,
    "layer_decay": 0.5,
}


def another(name):
    """A value that is not the default, and is allowed."""
    field = FIELDS[name]
    if choices := field.metadata["choices"]:
        return next(choice for choice in choices if choice != field.default)
    if isinstance(field.default, bool):
        return not field.default
    if isinstance(field.default, (int, float)):
        return type(field.default)(field.default + 1)
    return OTHERS.get(name, "1")


def with_effect(condition):
    """A value of the flag that decides with which the other has an effect."""
    return condition.values[0] if condition.values else another(condition.needs)


def values_without(condition):
    """All values of the flag that decides with which the other has no effect."""
    if not condition.values:
        return [0 if FIELDS[condition.needs].default is not None else None]
    return [
        choice
        for choice in FIELDS[condition.needs].metadata["choices"]
        if choice not in condition.values
    ]


def outcome(**changed):
    """What is said of values: the refusal, or the reports."""
    values = DEFAULTS | changed
    try:
        without_effect.refuse(values, DEFAULTS)
    except UserError as error:
        return "refused", str(error)
    return "reported", "\n".join(without_effect.reports(values, DEFAULTS))


@pytest.mark.parametrize("condition", CONDITIONS, ids=lambda c: f"{c.flag}-{c.needs}")
def test_each_flag_is_refused_or_reported_where_it_has_no_effect(condition):
    flag, needs = condition.flag, condition.needs
    value = another(flag)
    others = {  # what else the flag needs
        c.needs: with_effect(c)
        for c in CONDITIONS
        if c.flag == flag and c.needs != needs
    }
    assert values_without(condition)
    for deciding in values_without(condition):
        changed = {flag: value, **others, needs: deciding}
        how, said = outcome(**changed)
        assert (how == "reported") == (deciding in condition.reported_with), said
        assert f"--{flag}={value}".lower() in said.lower()
        assert f"--{needs}" in said
    how, said = outcome(**{flag: value, **others, needs: with_effect(condition)})
    assert f"--{flag}=" not in said
    assert outcome(**others, **{needs: with_effect(condition)})[0] == "reported"


def test_the_defaults_are_not_worth_a_word():
    assert outcome() == ("reported", "")


def test_what_slims_scripts_pass_is_reported_in_a_line_for_each_reason():
    changed = {"optimizer": "sgd", "momentum": 0.5, "adam_beta1": 0.8}
    changed |= {"learning_rate_decay_type": "fixed", "num_epochs_per_decay": 30.0}
    assert outcome(**changed, ignore_missing_vars=True) == (
        "reported",
        "no effect with --optimizer=sgd: --adam_beta1=0.8, --momentum=0.5\n"
        "no effect with --learning_rate_decay_type=fixed: --num_epochs_per_decay=30.0\n"
        "no effect without --checkpoint_path: --ignore_missing_vars=true",
    )


def test_a_number_that_is_given_counts_even_where_it_is_the_default(define):
    cosine = "--learning_rate_decay_type=cosine", "--max_number_of_steps=5"
    define(TrainConfig).read("--dataset_dir=/data", *cosine)
    with pytest.raises(UserError, match=r"^--num_epochs_per_decay=2.0 has no effect"):
        define(TrainConfig).read(
            "--dataset_dir=/data", *cosine, "--num_epochs_per_decay=2"
        )


def test_a_switch_that_is_given_as_off_does_not_count(define):
    config = define(TrainConfig).read(
        "--dataset_dir=/data", "--save_summaries_secs=0", "--nosummarize_sparsity"
    )
    assert config.data.dataset_dir == "/data"
    assert not config.run.summarize_sparsity


def test_the_parameters_of_optimizers_say_which_ones_read_them():
    """A new flag that is in no table would be ignored in silence."""
    names = {field.name for field in dataclasses.fields(OptimizerOptions)}
    for_all = {"optimizer", "clip_gradient_norm", "gradient_accumulation_steps"}
    assert names == for_all | set(OPTIMIZER_FLAGS)


@pytest.mark.parametrize("group", [ScheduleOptions, OptimizerOptions, LossOptions])
def test_what_steps_read_has_no_effect_on_a_solved_head(group):
    names = {field.name for field in dataclasses.fields(group)}
    assert names <= without_effect.of_steps()
