"""Every flag of slim's two scripts: there, with slim's type and default."""

import dataclasses
import typing

import pytest
from absl import flags as absl_flags

from config import flags
from config.eval_config import EvalConfig
from config.fine_tune_config import FineTuneConfig
from config.options import Options, option
from config.train_config import TrainConfig
from errors import UserError

# research/slim, train_image_classifier.py, in its own order.
SLIM_TRAIN: dict[str, str | int | float | None] = {
    "master": "",
    "train_dir": "/tmp/tfmodel/",
    "warmup_epochs": 0.0,
    "num_clones": 1,
    "clone_on_cpu": False,
    "worker_replicas": 1,
    "num_ps_tasks": 0,
    "num_readers": 4,
    "num_preprocessing_threads": 4,
    "log_every_n_steps": 10,
    "save_summaries_secs": 600,
    "save_interval_secs": 600,
    "task": 0,
    "weight_decay": 0.00004,
    "optimizer": "rmsprop",
    "adadelta_rho": 0.95,
    "adagrad_initial_accumulator_value": 0.1,
    "adam_beta1": 0.9,
    "adam_beta2": 0.999,
    "opt_epsilon": 1.0,
    "ftrl_learning_rate_power": -0.5,
    "ftrl_initial_accumulator_value": 0.1,
    "ftrl_l1": 0.0,
    "ftrl_l2": 0.0,
    "momentum": 0.9,
    "rmsprop_momentum": 0.9,
    "rmsprop_decay": 0.9,
    "quantize_delay": -1,
    "learning_rate_decay_type": "exponential",
    "learning_rate": 0.01,
    "end_learning_rate": None,  # 0.0001 of the polynomial schedule: schedules_test.py
    "label_smoothing": 0.0,
    "learning_rate_decay_factor": 0.94,
    "num_epochs_per_decay": 2.0,
    "sync_replicas": False,
    "replicas_to_aggregate": 1,
    "moving_average_decay": None,
    "dataset_name": "imagenet",
    "dataset_split_name": "train",
    "dataset_dir": None,
    "labels_offset": 0,
    "model_name": "inception_v3",
    "preprocessing_name": None,
    "batch_size": 32,
    "train_image_size": None,
    "max_number_of_steps": None,
    "use_grayscale": False,
    "checkpoint_path": None,
    "checkpoint_exclude_scopes": None,
    "trainable_scopes": None,
    "ignore_missing_vars": False,
}
# research/slim, eval_image_classifier.py.
SLIM_EVAL: dict[str, str | int | float | None] = {
    "batch_size": 100,
    "max_num_batches": None,
    "master": "",
    "checkpoint_path": "/tmp/tfmodel/",
    "eval_dir": "/tmp/tfmodel/",
    "num_preprocessing_threads": 4,
    "dataset_name": "imagenet",
    "dataset_split_name": "test",
    "dataset_dir": None,
    "labels_offset": 0,
    "model_name": "inception_v3",
    "preprocessing_name": None,
    "moving_average_decay": None,
    "eval_image_size": None,
    "quantize": False,
    "use_grayscale": False,
}
SLIM = {TrainConfig: SLIM_TRAIN, EvalConfig: SLIM_EVAL}
# Types of the flags whose default, None, does not tell.
UNSET = {
    "max_number_of_steps": "int",
    "train_image_size": "int",
    "max_num_batches": "int",
    "eval_image_size": "int",
    "moving_average_decay": "float",
    "end_learning_rate": "float",
}
DATA = "--dataset_dir=/data"

both = pytest.mark.parametrize("script", SLIM, ids=lambda script: script.__name__)


def slim_flags():
    return [
        pytest.param(script, name, default, id=f"{script.__name__}-{name}")
        for script, table in SLIM.items()
        for name, default in table.items()
    ]


def slim_type(name, default):
    if default is None:
        return UNSET.get(name, "string")
    return {str: "string", int: "int", float: "float", bool: "bool"}[type(default)]


def options_of(script):
    """Field and group of every option of a script."""
    return [
        (field, group_name)
        for group_name, group in typing.get_type_hints(script).items()
        for field in dataclasses.fields(group)
    ]


@pytest.mark.parametrize(("script", "name", "default"), slim_flags())
def test_slims_flag_is_there_with_its_type_and_default(
    command_line, script, name, default
):
    line = command_line(script)
    assert line.default(name) == default
    assert line.values[name].flag_type() == slim_type(name, default)


@both
def test_slims_defaults_written_out_are_accepted(command_line, script):
    """Old scripts may still pass every flag, the refused ones included."""
    given = {k: v for k, v in SLIM[script].items() if v is not None}
    given = {k: v for k, v in given.items() if k != "dataset_dir"}
    options = command_line(script).read(
        DATA, *[f"--{name}={value}" for name, value in given.items()]
    )
    for name, value in given.items():
        for field, group in options_of(script):
            if field.name == name:
                assert getattr(getattr(options, group), name) == value


@both
def test_every_option_is_a_flag_with_help_and_reaches_the_record(command_line, script):
    line = command_line(script)
    options = line.read(DATA)
    for field, group in options_of(script):
        assert line.values[field.name].help == field.metadata["help"]
        expected = "/data" if field.name == "dataset_dir" else field.default
        assert getattr(getattr(options, group), field.name) == expected


@both
def test_flags_that_slim_does_not_have_say_so(script):
    """The help says of every flag that slim does not have that it is new."""
    for field, _ in options_of(script):
        if field.name in SLIM[script]:
            assert "slim flag" not in field.metadata["help"], field.name
        elif field.name not in SLIM_TRAIN | SLIM_EVAL:
            assert field.metadata["help"].endswith(" (not a slim flag)."), field.name
        assert field.metadata["help"].endswith("."), field.name


def test_values_reach_the_record(command_line):
    options = command_line(TrainConfig).read(
        DATA,
        "--learning_rate=0.5",
        "--max_number_of_steps=12",
        "--trainable_scopes=a,b",
        "--nofreeze_batch_norm",
        "--clone_on_cpu",
    )
    assert options.schedule.learning_rate == 0.5
    assert options.run.max_number_of_steps == 12
    assert options.fine_tune.trainable_scopes == "a,b"
    assert options.fine_tune.freeze_batch_norm is False
    assert options.run.clone_on_cpu is True


@pytest.mark.parametrize(
    ("flag", "instead"),
    [
        ("--master=grpc://10.0.0.1:2222", "--num_clones"),
        ("--worker_replicas=2", "--num_clones"),
        ("--num_ps_tasks=1", "there are no parameter servers"),
        ("--task=1", "--num_clones"),
        ("--sync_replicas", "clones are always in step"),
        ("--sync_replicas=true", "clones are always in step"),
        ("--replicas_to_aggregate=4", "clones are always in step"),
        ("--quantize_delay=0", "quantize the finished model"),
    ],
)
def test_flags_without_a_meaning_are_refused(command_line, flag, instead):
    line = command_line(TrainConfig)
    with pytest.raises(UserError, match=r"^--\w+=.* is refused: ") as error:
        line.read(DATA, flag)
    assert str(error.value).startswith(flag.partition("=")[0])
    assert instead in str(error.value)


def test_evaluation_refuses_its_own(command_line):
    line = command_line(EvalConfig)
    with pytest.raises(UserError, match="--quantize=True is refused"):
        line.read(DATA, "--quantize")


@pytest.mark.parametrize(
    "flag",
    ["--nosync_replicas", "--sync_replicas=false", "--master=", "--quantize_delay=-1"],
)
def test_slims_ways_to_write_a_default_are_accepted(command_line, flag):
    read = command_line(TrainConfig).read(DATA, flag)
    assert read == command_line(TrainConfig).read(DATA)


def test_an_unknown_flag_is_not_dropped(command_line):
    line = command_line(TrainConfig)
    with pytest.raises(absl_flags.UnrecognizedFlagError, match="trainable_scopes"):
        line.read("--trainable_scope=Logits")


def test_given_names_what_the_command_line_sets(command_line):
    line = command_line(EvalConfig)
    line.read(DATA, "--batch_size=100")
    assert flags.given() == {"dataset_dir", "batch_size"}


def test_fine_tunes_own_flags_stand_before_those_of_training():
    values = absl_flags.FlagValues()
    flags.define(FineTuneConfig, values)
    titles = list(values.flags_by_module_dict())
    assert titles[:3] == ["Stages", "Data", "Training data"]
    assert titles[-3:] == ["Run", "Cluster", "Refused flags of slim"]


@dataclasses.dataclass(frozen=True)
class Shared(Options):
    """Shared."""

    output_file: str = option(None, "Where to write.", required=True)


@dataclasses.dataclass(frozen=True)
class Own(Shared):
    """Own."""

    order: str | None = option(None, "Order.", choices=("rgb", "bgr"))
    count: int = option(3, "How many.", minimum=1)


def test_a_group_alone_is_a_commands_flags(command_line):
    line = command_line(Own)
    assert set(line.values) >= {"output_file", "order", "count"}
    assert "master" not in line.values  # refused flags are those of slim's scripts
    options = line.read("--output_file=/out", "--order=bgr")
    assert options == Own(output_file="/out", order="bgr", count=3)


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ([], "--output_file is missing"),
        (["--output_file="], "--output_file is missing"),
        (["--output_file=o", "--order=grb"], "--order=grb: expected one of rgb, bgr"),
        (["--output_file=o", "--count=0"], "--count=0: expected 1 or more"),
    ],
)
def test_a_groups_values_are_checked(command_line, args, message):
    with pytest.raises(UserError, match=message):
        command_line(Own).read(*args)
