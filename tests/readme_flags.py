"""The README's tables of flags, made from the flags themselves.

`python tests/readme_flags.py` writes them into README.md (`make format` does);
readme_test.py fails while they differ.
"""

import dataclasses
import pathlib
import re
import typing

from config import config, tables

README = pathlib.Path(__file__).parent.parent / "README.md"
SCRIPTS = {
    "train_image_classifier.py": config.TrainConfig,
    "eval_image_classifier.py": config.EvalConfig,
}


def flag_tables(script: str) -> str:
    """A Markdown table for each group of a script's flags."""
    parts = []
    for group in typing.get_type_hints(SCRIPTS[script]).values():
        rows = [
            [f"`--{f.name}`", _default(f.default), f.metadata["help"]]
            for f in dataclasses.fields(group)
        ]
        title = group.__doc__.rstrip(".")
        table = tables.markdown_table(("flag", "default", "meaning"), rows)
        parts.append(f"**{title}**\n\n{table}")
    return "\n\n".join(parts)


def _default(value: object) -> str:
    if isinstance(value, bool):
        value = str(value).lower()
    return "" if value is None else f"`{value}`"


def renewed(readme: str) -> str:
    """The README's text with its tables as they should be."""
    for script in SCRIPTS:
        begin, end = f"<!-- flags of {script} -->", f"<!-- end of {script} -->"
        section = f"{begin}\n{flag_tables(script)}\n{end}"
        pattern = f"{re.escape(begin)}.*?{re.escape(end)}"
        plain = section.replace("\\", r"\\")  # re.sub reads backslashes as escapes
        readme = re.sub(pattern, plain, readme, flags=re.DOTALL)
    return readme


if __name__ == "__main__":
    README.write_text(renewed(README.read_text(encoding="utf-8")), encoding="utf-8")
