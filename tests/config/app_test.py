"""How a script starts and ends, seen from the shell."""

import os
import pathlib
import subprocess
import sys

import pytest

from config import app
from config.version import VERSION

ROOT = pathlib.Path(app.__file__).resolve().parents[1]

SCRIPT = '''"""A script to test."""

import os
import signal
import sys
import time

from absl import flags, logging

from config import app
from config import flags as config_flags
from config.train_config import TrainConfig
from errors import NotFiniteError, UserError

config_flags.define(TrainConfig)
_DO = flags.DEFINE_string("do", "", "What to do.")


class Ending:
    """Gets a signal where Python drops exceptions."""

    def __init__(self, number):
        self.number = number

    def __del__(self):
        os.kill(os.getpid(), self.number)


def main(*positional):
    logging.info("main runs")
    match _DO.value:
        case "user error":
            raise UserError("got this;\\n  expected that")
        case "not finite":
            raise NotFiniteError("loss is nan")
        case "interrupt":
            os.kill(os.getpid(), signal.SIGINT)
        case "SIGINT" | "SIGTERM" as name:
            signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
            Ending(signal.Signals[name])
            time.sleep(60)
        case "fault in a finalizer":
            Ending("no number")
        case "fault":
            raise RuntimeError("a fault of ours")
        case "status":
            return 75
        case "read":
            print(config_flags.read(TrainConfig).optimizer.momentum)
        case "names":
            name = "\\x1b[31m\\x9b1m\\u202e\\udcff\\r=x\\nforged"
            print("photo", name)
            logging.warning("left out: %s", name)
            logging.warning("%s and %d", OSError(name), 3)
            raise UserError("no photo " + name)
        case "talk":
            while True:
                print("a line of a table")
        case "positional":
            print(positional)
    return None


if __name__ == "__main__":
    app.run(main{})
'''


@pytest.fixture
def run(tmp_path):
    """Runs the script with arguments."""

    def run(*args, positional=""):
        script = tmp_path / "script.py"
        script.write_text(SCRIPT.format(positional))
        return subprocess.run(
            [sys.executable, str(script), *args],
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )

    return run


def error_of(done):
    """The one line on stderr of a run that failed."""
    assert done.returncode != 0
    assert done.stdout == ""
    lines = done.stderr.splitlines()
    assert len(lines) == 1, done.stderr
    return lines[0]


def test_an_unknown_flag_fails_and_names_the_nearest(run):
    done = run("--trainable_scope=InceptionV3/Logits")
    assert done.returncode == 2
    assert error_of(done) == (
        "error: Unknown command line flag 'trainable_scope'. Did you mean:"
        " trainable_scopes ? (--help lists the flags)"
    )


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (
            ["--batch_size=many"],
            "error: flag --batch_size=many: expected a whole number, not 'many'",
        ),
        (
            ["--momentum=half"],
            "error: flag --momentum=half: expected a number, not 'half'",
        ),
        (
            ["--do=read", "--verbosity=-1", "--dataset_dir=d", "--momentum=-1"],
            "error: --momentum=-1.0: expected 0 or more",
        ),
        (["--trainable_scopes=A,", "B"], "error: unexpected argument 'B': flags are"),
    ],
)
def test_wrong_input_is_one_line_and_status_2(run, args, says):
    done = run(*args)
    assert done.returncode == 2
    assert error_of(done).startswith(says)


def test_what_a_user_can_mend_has_no_traceback(run):
    done = run("--do=user error", "--verbosity=-1")
    assert done.returncode == 2
    assert error_of(done) == "error: got this; expected that"


@pytest.mark.parametrize(
    ("do", "status"),
    [("not finite", 3), ("interrupt", app.EXIT_INTERRUPTED), ("status", 75), ("", 0)],
)
def test_exit_status(run, do, status):
    done = run(f"--do={do}")
    assert done.returncode == status
    assert "Traceback" not in done.stderr
    assert "main runs" in done.stderr, "logging at INFO is on from the start"


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"--momentum=0.5\n--momentun=1\n", "Unknown command line flag 'momentun'"),
        (b"--do=\xff\n", "not UTF-8 text (invalid start byte in byte 5)"),
        (None, "No such file or directory"),
    ],
)
def test_a_wrong_flag_file_is_one_line(run, tmp_path, content, says):
    file = tmp_path / "flags.txt"
    if content is not None:
        file.write_bytes(content)
    done = run(f"--flagfile={file}")
    assert done.returncode == 2
    assert says in error_of(done)
    assert "unknown" in says.lower() or str(file) in done.stderr


def test_no_name_acts_on_the_terminal(run):
    done = run("--do=names")
    assert done.returncode == 2
    shown = "\\x1b[31m\\x9b1m\\u202e\\udcff\\r=x"
    assert done.stdout == f"photo {shown}\nforged\n"
    logged, of_error, error = done.stderr.splitlines()[1:]
    assert logged.endswith(f" warning: left out: {shown}\\nforged")
    assert of_error.endswith(f" warning: {shown}\\nforged and 3")
    # Blanks of an error, carriage returns among them, are made one.
    assert error == "error: no photo \\x1b[31m\\x9b1m\\u202e\\udcff =x forged"


def test_when_nobody_reads_on_it_ends_silently(run, tmp_path):
    run()  # writes the script
    talking = subprocess.Popen(
        [sys.executable, str(tmp_path / "script.py"), "--do=talk", "--verbosity=-1"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert talking.stdout is not None
    assert talking.stderr is not None
    assert talking.stdout.readline() == b"a line of a table\n"
    talking.stdout.close()
    assert talking.stderr.read() == b""
    assert talking.wait() == app.EXIT_NO_READER


def test_our_own_faults_keep_their_traceback(run):
    done = run("--do=fault")
    assert done.returncode == 1
    assert "RuntimeError: a fault of ours" in done.stderr


@pytest.mark.parametrize(("do", "status"), [("SIGINT", 130), ("SIGTERM", 143)])
def test_a_signal_in_a_finalizer_is_not_lost(run, do, status):
    done = run(f"--do={do}", "--verbosity=-1")
    assert done.returncode == status
    assert done.stderr == ("interrupted\n" if do == "SIGINT" else "")


def test_faults_of_finalizers_are_shown(run):
    done = run("--do=fault in a finalizer")
    assert done.returncode == 0
    assert "TypeError" in done.stderr


def test_positional_arguments_where_a_script_takes_them(run):
    done = run("a.jpg", "--do=positional", "b c.jpg", positional=', "PHOTO"')
    assert done.stdout == "(['a.jpg', 'b c.jpg'],)\n"


def test_a_script_for_one_task_refuses_to_be_one_of_several(run, monkeypatch):
    monkeypatch.setenv("RANK", "1")
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("MASTER_ADDR", "a")
    done = run(positional=", in_one_task=True")
    assert done.returncode == 2
    assert error_of(done) == (
        "error: script.py runs on one machine only, and this is task 1 of 2"
        " (WORLD_SIZE): start it once, as with srun --ntasks=1"
    )


def test_version_is_that_of_the_project(run):
    done = run("--do=fault", "--version")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"slim-image-classifier {VERSION}\n"


def test_help_by_group_without_absls_own(run):
    done = run("--help")
    assert done.returncode == 0
    assert done.stdout.startswith("A script to test.")
    for text in ("Fine-tuning:", "--trainable_scopes:", "--[no]freeze_batch_norm:"):
        assert text in done.stdout
    assert "--verbosity" not in done.stdout.replace("--helpfull", "")
