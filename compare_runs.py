r"""Compares training runs: a table, their curves, and whether the best differ.

python compare_runs.py runs/* --output_dir=comparison

Nothing is trained or evaluated. A folder of stages, 1-head and 2-top, is one run.
"""

import script_start  # noqa: F401  (before all that takes time)

from config import app, flags
from config.compare_config import CompareConfig
from engine import compare

flags.define(CompareConfig)


def main(folders: list[str]) -> int:
    """Compares the runs in the folders named."""
    return compare.compare(flags.read(CompareConfig).compare, folders)


if __name__ == "__main__":
    app.run(main, positional="RUN", in_one_task=True)
