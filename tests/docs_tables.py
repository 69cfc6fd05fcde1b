"""The tables of docs/flags.md and docs/nets.md, made from the flags and networks.

`python -m tests.docs_tables` writes them (`make format` does); docs_test.py fails
while they differ.
"""

import collections
import dataclasses
import math
import pathlib
import re
import typing

from common import tables
from config.compare_config import CompareConfig
from config.eval_config import EvalConfig
from config.fine_tune_config import FineTuneConfig
from config.predict_config import PredictConfig
from config.probe_config import ProbeConfig
from config.train_config import TrainConfig
from convert.published import archives, elsewhere
from nets import nets_factory

ROOT = pathlib.Path(__file__).parent.parent
FLAGS_PAGE = ROOT / "docs/flags.md"
NETS_PAGE = ROOT / "docs/nets.md"
SCRIPTS = {
    "fine_tune.py": FineTuneConfig,
    "train_image_classifier.py": TrainConfig,
    "eval_image_classifier.py": EvalConfig,
    "predict_images.py": PredictConfig,
    "probe_image_classifier.py": ProbeConfig,
    "compare_runs.py": CompareConfig,
}


def flag_tables(script: str) -> str:
    """A Markdown table for each group of a script's flags.

    Of `fine_tune.py`'s, those of training stand in training's tables.
    """
    groups = list(typing.get_type_hints(SCRIPTS[script]).values())
    if SCRIPTS[script] is FineTuneConfig:
        of_training = typing.get_type_hints(TrainConfig).values()
        groups = [group for group in groups if group not in of_training]
    parts = []
    for group in groups:
        rows = [
            [f"`--{f.name}`", _default(f.default), f.metadata["help"]]
            for f in dataclasses.fields(group)
        ]
        title = group.__doc__.rstrip(".")
        table = tables.markdown_table(("flag", "default", "meaning"), rows)
        parts.append(f"**{title}**\n\n{table}")
    return "\n\n".join(parts)


def nets_table() -> str:
    """A Markdown table of the networks, with where their weights come from."""
    parameters = collections.Counter[str]()
    with (ROOT / "tests/nets/slim_variables.tsv").open() as file:
        for line in file:
            if not line.startswith("#"):
                net, _, shape = line.split("\t")[:3]
                sizes = map(int, filter(str.isdigit, shape.strip().split("x")))
                parameters[net] += math.prod(sizes)
    rows = [
        [
            f"`{name}`",
            str(entry.image_size),
            ", ".join(f"`{scope}`" for scope in entry.head_scopes),
            f"{parameters[name] / 1e6:.1f}" if name in parameters else "",
            _sources(name),
        ]
        for name, entry in nets_factory.NETWORKS.items()
    ]
    headers = ("net", "pixels", "head", "million parameters", "weights")
    return tables.markdown_table(headers, rows)


def _sources(net: str) -> str:
    sources = ["slim's archive"] if net in archives.ARCHIVES else []
    return ", ".join([*sources, *(origin for origin, _ in elsewhere.sources(net))])


def _default(value: object) -> str:
    if isinstance(value, bool):
        value = str(value).lower()
    return "" if value is None else f"`{value}`"


def renewed(page: str) -> str:
    """A page's text with its tables as they should be."""
    made = {f"flags of {script}": flag_tables(script) for script in SCRIPTS}
    made["table of the nets"] = nets_table()
    for name, text in made.items():
        begin = f"<!-- {name} -->"
        end = f"<!-- end of {name.split(' of ')[1]} -->"
        section = f"{begin}\n{text}\n{end}"
        pattern = f"{re.escape(begin)}.*?{re.escape(end)}"
        plain = section.replace("\\", r"\\")  # re.sub reads backslashes as escapes
        page = re.sub(pattern, plain, page, flags=re.DOTALL)
    return page


if __name__ == "__main__":
    for path in (FLAGS_PAGE, NETS_PAGE):
        path.write_text(renewed(path.read_text(encoding="utf-8")), encoding="utf-8")
