r"""Runs on several machines, played by processes of this one: equal, and how fast.

python -m benchmarks.cluster --what=equal,elastic,kills,ends,link,steps,averages,\
cache,evaluation

equal: each optimizer and more, two tasks against two clones, byte by byte. elastic: one
run on 2, 1 and 4 tasks against one on 2. kills: a task killed at random moments, all
started again, against a run left alone. ends: how soon the other task ends, and names
the one that is gone. link: the same where the link between two network namespaces goes
down (needs root). steps, cache, evaluation: one task and two, each pinned to a core of
its own. averages: a step with moving averages, two tasks against two clones.
"""

import pathlib
import tempfile

from benchmarks.cluster import equality, losing, speed
from benchmarks.cluster.bench import Bench, BenchOptions
from common.tables import text_table
from config import app, flags
from config.options import split_list
from errors import UserError

_MEASURES = {
    f.__name__: f
    for f in (
        *(equality.equal, equality.elastic),
        *(losing.kills, losing.ends, losing.link),
        *(speed.steps, speed.averages, speed.cache, speed.evaluation),
    )
}


def main() -> None:
    """Measures what is asked for."""
    options = flags.read(BenchOptions)
    names = split_list(options.what) or list(_MEASURES)
    if unknown := [name for name in names if name not in _MEASURES]:
        raise UserError(f"--what={unknown[0]}: expected of {','.join(_MEASURES)}")
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(pathlib.Path(folder), options)
        for name in names:
            _MEASURES[name](bench)
        print(text_table(["what", "figure"], bench.rows))


if __name__ == "__main__":
    flags.define(BenchOptions)
    app.run(main)
