"""Trains the small net as one task of several, or on clones: a process of its own.

`python -m tests.engine.cluster.runs FOLDER FLAGS`, FLAGS being JSON, trains into
FOLDER with these flags, and saves after every step; which task it is stands in the
environment.
"""

import json
import os
import sys

from absl import logging

from engine.run.saver import Saver
from errors import PeerError, UserError
from nets import nets_factory
from tests.engine import small_runs


def main(folder: str, flags: str) -> int:
    """Trains as the module says; the exit status is that of the run."""
    logging.set_verbosity(logging.INFO)
    Saver.is_due = True  # type: ignore[assignment,method-assign]
    nets_factory.NETWORKS[small_runs.NET] = small_runs.NET_ENTRY
    try:
        return small_runs.train(train_dir=folder, **json.loads(flags))
    except UserError as error:
        print(f"error: {error}", file=sys.stderr, flush=True)
        if isinstance(error, PeerError):
            os._exit(error.exit_status)  # as `config.app` does
        return error.exit_status


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
