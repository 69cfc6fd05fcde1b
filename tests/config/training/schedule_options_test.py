"""Schedules that contradict themselves are refused."""

import pytest

from config.training.schedule_options import ScheduleOptions
from errors import UserError


def piecewise(epochs):
    return ScheduleOptions(
        learning_rate_decay_type="piecewise", learning_rate_decay_epochs=epochs
    )


def test_decay_epochs_are_numbers_in_order():
    assert piecewise("7, 14.5").decay_epochs == [7.0, 14.5]
    assert ScheduleOptions().decay_epochs == []


@pytest.mark.parametrize("epochs", ["7,x", "14,7", "0,7", "7,7", "7,inf", "7,nan"])
def test_other_decay_epochs_are_refused(epochs):
    with pytest.raises(UserError, match="expected epochs above 0 in ascending order"):
        piecewise(epochs).check(is_endless=True)


@pytest.mark.parametrize(
    "options", [piecewise(None), ScheduleOptions(learning_rate_decay_epochs="7,14")]
)
def test_piecewise_and_its_epochs_need_each_other(options):
    with pytest.raises(UserError, match="=piecewise and --learning_rate_decay_epochs"):
        options.check(is_endless=False)


def test_cosine_needs_the_length_of_the_run():
    options = ScheduleOptions(learning_rate_decay_type="cosine")
    options.check(is_endless=False)
    with pytest.raises(UserError, match="--max_number_of_steps or --max_number_of_e"):
        options.check(is_endless=True)


def cosine(rate, end):
    return ScheduleOptions(
        learning_rate_decay_type="cosine", learning_rate=rate, end_learning_rate=end
    )


@pytest.mark.parametrize("end", [1e-4, 1e-5])
def test_cosine_is_refused_where_it_would_not_fall(end):
    with pytest.raises(UserError, match=r"--learning_rate=1e-05 would not fall to --e"):
        cosine(1e-5, end).check(is_endless=False)


def test_cosine_falls_to_0_unless_told_otherwise():
    cosine(1e-5, None).check(is_endless=False)
    assert cosine(1e-5, None).final_learning_rate == 0
    assert cosine(1e-3, 1e-4).final_learning_rate == 1e-4
    assert ScheduleOptions().final_learning_rate == 1e-4  # slim's
