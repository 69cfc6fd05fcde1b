"""Training flags that have no effect unless another flag has a certain value.

Slim ignores its own in silence, and scripts that pass all of them must keep working:
those are reported. Whatever cannot come from such a script is refused, as it would ask
for one thing and get another.
"""

import dataclasses
from collections.abc import Iterator, Mapping, Set
from typing import Any

from errors import UserError

OPTIMIZER_FLAGS: Mapping[str, tuple[str, ...]] = {
    "adadelta_rho": ("adadelta",),
    "adagrad_initial_accumulator_value": ("adagrad",),
    "adam_beta1": ("adam",),
    "adam_beta2": ("adam",),
    "opt_epsilon": ("adadelta", "adam", "rmsprop"),
    "ftrl_learning_rate_power": ("ftrl",),
    "ftrl_initial_accumulator_value": ("ftrl",),
    "ftrl_l1": ("ftrl",),
    "ftrl_l2": ("ftrl",),
    "momentum": ("momentum",),
    "rmsprop_momentum": ("rmsprop",),
    "rmsprop_decay": ("rmsprop",),
}
_SLIMS_SCHEDULES = ("fixed", "exponential", "polynomial")
_OF_OPTIMIZERS = ("adadelta", "adagrad", "adam", "ftrl", "momentum", "sgd", "rmsprop")
_NOT_GIVEN = (None, "", 0)


@dataclasses.dataclass(frozen=True)
class Condition:
    """What a flag needs to have an effect.

    Attributes:
      flag: its name.
      needs: the flag that decides.
      values: those of that flag with which this one has an effect; empty: any that is
        not in `_NOT_GIVEN`.
      reported_with: other values with which it is only reported; with all that are left
        it is refused.
    """

    flag: str
    needs: str
    values: tuple[Any, ...] = ()
    reported_with: tuple[Any, ...] = ()

    def has_effect(self, value: Any) -> bool:
        """Whether the flag has an effect with a value of the one that decides."""
        return value in self.values if self.values else value not in _NOT_GIVEN


CONDITIONS = (
    *(
        Condition(flag, "optimizer", optimizers, reported_with=_OF_OPTIMIZERS)
        for flag, optimizers in OPTIMIZER_FLAGS.items()
    ),
    *(
        Condition(
            *(flag, "learning_rate_decay_type", schedules),
            reported_with=_SLIMS_SCHEDULES,
        )
        for flag, schedules in {
            "end_learning_rate": ("polynomial", "cosine"),
            "learning_rate_decay_factor": ("exponential", "piecewise"),
            "num_epochs_per_decay": ("exponential", "polynomial"),
        }.items()
    ),
    *(
        Condition(flag, "checkpoint_path", reported_with=(None, ""))
        for flag in ("checkpoint_exclude_scopes", "ignore_missing_vars")
    ),
    *(
        Condition(flag, "eval_split_name")
        for flag in ("eval_every_n_steps", "early_stopping_patience")
    ),
    Condition("rand_augment_magnitude", "rand_augment_ops"),
    Condition("summarize_sparsity", "save_summaries_secs"),
    Condition("feature_cache_dir", "feature_cache", ("disk",)),
    Condition("feature_cache_dtype", "feature_cache", ("memory", "disk")),
    Condition("shuffle", "feature_cache", ("off",)),
    Condition("shuffle", "sampling", ("shuffled",)),
    # A recipe names these above its headings, for the stages that take steps.
    *(
        Condition(flag, "head_solver", ("steps",), reported_with=("logistic",))
        for flag in (
            *("learning_rate", "learning_rate_decay_type", "warmup_epochs"),
            *("end_learning_rate", "learning_rate_decay_factor"),
            *("num_epochs_per_decay", "optimizer", *OPTIMIZER_FLAGS, "weight_decay"),
        )
    ),
    *(
        Condition(flag, "head_solver", ("steps",))
        for flag in (
            *("max_number_of_steps", "max_number_of_epochs", "label_smoothing"),
            *("moving_average_decay", "learning_rate_multipliers", "layer_decay"),
            *("starting_point_decay", "class_weights", "focal_gamma", "sampling"),
            *("clip_gradient_norm", "gradient_accumulation_steps", "global_batch_size"),
            *("learning_rate_decay_epochs", "early_stopping_patience"),
            "find_learning_rate",
        )
    ),
)


def refuse(
    values: Mapping[str, Any],
    defaults: Mapping[str, Any],
    given: Set[str] = frozenset(),
) -> None:
    """Refuses flags that would have no effect, unless slim ignores them, too.

    Args:
      values: by flag.
      defaults: by flag.
      given: names of the flags on the command line. A number counts even if it is the
        default, since it would do something.

    Raises:
      UserError: there is one.
    """
    numbers = {n for n in given & values.keys() if _is_number(defaults[n])}
    for condition in _unmet(values, defaults, numbers):
        value = values[condition.needs]
        if value in condition.reported_with:
            continue
        flag = _text(condition.flag, values)
        if not condition.values:
            raise UserError(
                f"{flag} has no effect without --{condition.needs}: add that, or omit"
                f" --{condition.flag}"
            )
        raise UserError(
            f"{flag} has no effect with {_text(condition.needs, values)}, only with"
            f" {' or '.join(map(str, condition.values))}: omit one of them"
        )


def reports(values: Mapping[str, Any], defaults: Mapping[str, Any]) -> list[str]:
    """A line for each flag's value that makes others have no effect.

    Args:
      values: by flag.
      defaults: by flag; a flag with its default is not reported.
    """
    ignored: dict[str, dict[str, str]] = {}
    for condition in _unmet(values, defaults, set()):
        flags = ignored.setdefault(condition.needs, {})
        flags[condition.flag] = _text(condition.flag, values)
    return [
        f"no effect {_without(needs, values)}: {', '.join(flags.values())}"
        for needs, flags in ignored.items()
    ]


def of_steps() -> set[str]:
    """Names of the flags that have no effect where the head is solved."""
    return {c.flag for c in CONDITIONS if c.needs == "head_solver"}


def _unmet(
    values: Mapping[str, Any], defaults: Mapping[str, Any], numbers: Set[str]
) -> Iterator[Condition]:
    for condition in CONDITIONS:
        flag = condition.flag
        if values[flag] in ("", defaults[flag]) and flag not in numbers:
            continue
        if not condition.has_effect(values[condition.needs]):
            yield condition


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and bool(value) and value is not True


def _without(name: str, values: Mapping[str, Any]) -> str:
    if values[name] in _NOT_GIVEN:
        return f"without --{name}"
    return f"with {_text(name, values)}"


def _text(name: str, values: Mapping[str, Any]) -> str:
    value = values[name]
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return f"--{name}={text}"
