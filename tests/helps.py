"""Writes the `--help` of commands: `python -m tests.helps FOLDER SCRIPT...`.

Each command runs in a fork of this process, which has loaded TensorFlow and tf_slim:
that is most of what a command does before it prints its help. `FOLDER` gets a file per
command, by its name with `-` for `/`.
"""

import importlib
import os
import pathlib
import runpy
import sys


def _help(script: str, path: pathlib.Path) -> None:
    """Runs `script --help` as a command, writing what it prints to `path`."""
    with path.open("w") as file:
        os.dup2(file.fileno(), sys.stdout.fileno())
    sys.argv = [script, "--help"]
    sys.path[0] = str(pathlib.Path(script).resolve().parent)
    runpy.run_path(script, run_name="__main__")


def main(folder: str, *scripts: str) -> None:
    """Does what the module says.

    Raises:
      ChildProcessError: a command ended with a status other than 0.
    """
    importlib.import_module("engine.train_loop")  # and TensorFlow and tf_slim
    for script in scripts:
        path = pathlib.Path(folder) / script.replace("/", "-")
        child = os.fork()
        if not child:
            _help(script, path)
            os._exit(1)  # a command ends with SystemExit
        _, status = os.waitpid(child, 0)
        if status:
            raise ChildProcessError(f"{script} --help ended with {status}")


if __name__ == "__main__":
    main(*sys.argv[1:])
