"""How every script starts and ends: flags in, exit status out."""

import contextlib
import gc
import os
import shlex
import signal
import sys
from collections.abc import Callable, Iterator

from absl import app as absl_app
from absl import flags, logging

from cluster.launchers import require_single_task
from common import signal_errors, terminal
from common.log_lines import LogLines
from common.untrusted_text import printable, printable_lines
from config.flags import error_text
from config.version import VERSION
from errors import PeerError, UserError

EXIT_INTERRUPTED = 130  # 128 + SIGINT, as a shell reports it
EXIT_NO_READER = 141  # 128 + SIGPIPE


def run(
    main: Callable[..., int | None],
    positional: str | None = None,
    *,
    in_one_task: bool = False,
) -> None:
    """Parses the command line, runs `main`, and exits with its status.

    Args:
      main: called without arguments, or with the list of positional arguments when
        the script takes any; its return value is the exit status (None is 0).
      positional: what the positional arguments are called in messages, for instance
        "PHOTO"; None when the script takes flags only.
      in_one_task: whether to refuse to be one of several tasks, of which each would do
        the same work and write the same files.
    """

    def parse(argv: list[str]) -> list[str]:
        with _user_errors_exit():
            return _parse_flags(argv, positional)

    def start(argv: list[str]) -> int | None:
        try:
            with _user_errors_exit():
                if in_one_task:
                    script = os.path.basename(sys.argv[0])
                    require_single_task(os.environ, f"{script} runs")
                return main(argv[1:]) if positional else main()
        finally:
            terminal.erase_live()
            # Python's last collection would take a graph to pieces for two seconds.
            gc.freeze()

    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:  # as in the background
        signal_errors.raise_on(signal.SIGINT, KeyboardInterrupt)
    sys.unraisablehook = signal_errors.insist
    _guard_output()
    # What has been loaded stays: no collection needs to walk through it.
    gc.freeze()
    gc.enable()
    absl_app.run(start, flags_parser=parse)


class _PrintableOutput(terminal.Screen):
    """Standard output on which no file name can move the cursor or forge colors."""

    def write(self, text: str) -> int:
        """Writes text, with escapes for unprintable characters."""
        return super().write(printable_lines(text))


def _guard_output() -> None:
    """Guards stdout and the log; stderr is left alone for the live line."""
    sys.stdout = _PrintableOutput(sys.stdout)
    sys.stderr = terminal.Screen(sys.stderr)
    handler = logging.get_absl_handler()
    handler.setFormatter(LogLines())
    handler.python_handler.setStream(sys.stderr)


def command_line() -> str:
    """The command that started this process, with its folder, quoted for a shell."""
    folder = shlex.join(["cd", os.getcwd()])
    return f"{folder}\n{shlex.join(['python', *sys.argv])}"


def _print_help() -> None:
    """Prints the help by group of flags, without absl's own."""
    own = flags.FLAGS.flags_by_module_dict()
    description = (sys.modules["__main__"].__doc__ or "").strip()
    print(terminal.refilled(description, sys.stdout))
    for group in own:
        if not group.startswith("absl.") and "tensorflow" not in group:
            print(flags.FLAGS.module_help(group))
    print(
        "\n--flagfile=FILE reads flags from a file; --helpfull lists absl's flags too;"
        "\n--version prints the version.",
        flush=True,
    )


def _parse_flags(argv: list[str], positional: str | None) -> list[str]:
    if {"--help", "-h", "-help", "--helpshort"} & set(argv[1:]):
        _print_help()
        sys.exit(0)
    if "--version" in argv[1:]:
        print(f"slim-image-classifier {VERSION}", flush=True)
        sys.exit(0)
    flags.FLAGS.set_gnu_getopt(True)  # flags may follow positional arguments
    try:
        rest = flags.FLAGS(argv)
    except flags.Error as error:
        raise UserError(f"{error_text(error)} (--help lists the flags)") from error
    except UnicodeDecodeError as error:
        files = " ".join(word for word in argv if "flagfile" in word)
        raise UserError(
            f"{files}: the file is not UTF-8 text ({error.reason} in byte"
            f" {error.start}); it must hold one --name=value per line"
        ) from error
    if len(rest) > 1 and positional is None:
        raise UserError(
            f"unexpected argument {rest[1]!r}: flags are written --name=value, as in"
            " --checkpoint_path=runs/a, and lists without spaces, as in A,B"
        )
    if flags.FLAGS["verbosity"].using_default_value:
        logging.set_verbosity(logging.INFO)
    return rest


@contextlib.contextmanager
def _user_errors_exit() -> Iterator[None]:
    """Turns a `UserError` or Ctrl-C into one line on stderr and an exit status.

    If nobody reads the output any more, as after `| head`, it ends silently.
    """
    try:
        yield
        print(end="", flush=True)
    except UserError as error:
        line = f"error: {printable(str(error))}"
        indent = len("error: ")
        print(terminal.wrapped(line, sys.stderr, indent), file=sys.stderr, flush=True)
        if isinstance(error, PeerError):
            # TensorFlow would take seconds to disconnect from a machine that is gone.
            terminal.erase_live()
            os._exit(error.exit_status)
        sys.exit(error.exit_status)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr, flush=True)
        sys.exit(EXIT_INTERRUPTED)
    except BrokenPipeError:
        # Otherwise Python reports it again when it flushes what is left.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(EXIT_NO_READER)
