r"""Prints the layers of a network: operation, output, parameters, arithmetic.

    python convert/inspect_network.py --model_name=mobilenet_v1
    python convert/inspect_network.py --model_name=inception_v3 \
        --final_endpoint=Mixed_6e --head_hidden_units=1024 --output_svg=net.svg
    python convert/inspect_network.py --checkpoint_path=runs/flowers

It makes no variables, so the largest network takes seconds. The end points are what
`--final_endpoint` takes.
"""

import script_start  # noqa: F401  (before all that takes time)

import dataclasses
import os

import common.quiet_tensorflow  # noqa: F401  (before others load it)
from checkpoints import model_info, slim_format
from common import tables
from common.atomic_files import atomic_write
from config import app, flags
from config.options import Options, option
from config.shared_options import parse_hidden_units
from convert.inspection import net_layers, net_picture
from convert.inspection.net_layers import NetLayers, size_text
from convert.weights import net_fit
from errors import UserError
from nets import nets_factory
from nets.network import first_kernel
from nets.new_head import NewHead

_DEFAULT_NET = "inception_v3"  # slim's


@dataclasses.dataclass(frozen=True)
class NetworkOptions(Options):
    """Network."""

    model_name: str | None = option(
        None,
        "Network: a name from nets/nets_factory.py; by default that of"
        " --checkpoint_path, or inception_v3.",
    )
    checkpoint_path: str | None = option(
        None,
        "A run, or a checkpoint of one, whose model.json says which network it is.",
    )
    final_endpoint: str | None = option(
        None, "End point at which the network ends, for a new head."
    )
    head_hidden_units: str | None = option(
        None, "Sizes of the relu layers before the logits, as in 1024,256."
    )
    image_size: int | None = option(
        None, "Side of the images in pixels; by default the network's.", minimum=1
    )
    num_classes: int | None = option(
        None, "Number of classes; by default the run's, or 1000.", minimum=1
    )
    output_svg: str | None = option(
        None, "File for a picture of the network; by default none is drawn."
    )


@dataclasses.dataclass(frozen=True)
class _Net:
    """What is looked at."""

    model_name: str
    head: NewHead
    image_size: int
    num_classes: int
    channels: int


def _net_of(options: NetworkOptions) -> _Net:
    units = parse_hidden_units(options.head_hidden_units)
    head = NewHead(options.final_endpoint, units)
    if options.checkpoint_path is None:
        name = options.model_name or _DEFAULT_NET
        size = options.image_size or nets_factory.get_entry(name).image_size
        return _Net(name, head, size, options.num_classes or 1000, 3)
    path = slim_format.find_checkpoint(options.checkpoint_path)
    info = model_info.read(os.path.dirname(path) or ".")
    if info is None:
        raise UserError(
            f"--checkpoint_path={options.checkpoint_path} has no {model_info.FILE_NAME}"
            " next to it, which says what the network is: give --model_name instead"
        )
    given = {
        "model_name": options.model_name,
        "final_endpoint": head.final_endpoint,
        "head_hidden_units": units or None,
        "num_classes": options.num_classes,
    }
    model_info.require_agreement(info, given)
    return _Net(
        info.model_name,
        NewHead.of(info),
        options.image_size or info.image_size,
        info.num_classes,
        _num_channels(info.model_name, slim_format.Checkpoint(path)),
    )


def _num_channels(model_name: str, checkpoint: slim_format.Checkpoint) -> int:
    """Channels of the images that the saved net takes."""
    shapes = net_fit.net_shapes(model_name, 2)
    return checkpoint.shapes[first_kernel(shapes)][2]


def text(net: _Net, found: NetLayers) -> str:
    """The table, and the totals."""
    root = nets_factory.get_entry(net.model_name).head_scopes[0].rpartition("/")[0]
    rows = [
        [
            layer.end_point.removeprefix(f"{root}/") + " *" * layer.is_auxiliary,
            layer.operation,
            size_text(layer.shape),
            f"{layer.num_parameters:,}",
            f"{layer.multiply_adds:,}",
        ]
        for layer in found.layers
    ]
    headers = ("end point", "operation", "output", "parameters", "multiply-adds")
    table = tables.printed(headers, rows, title=_title(net))
    main = [layer for layer in found.layers if not layer.is_auxiliary]
    total = sum(layer.num_parameters for layer in main)
    lines = [
        table,
        "",
        f"{total:,} parameters, {found.num_statistics:,} of them statistics of batch"
        " norms",
        f"{sum(layer.multiply_adds for layer in main):,} multiply-adds for an image",
    ]
    if auxiliary := [layer for layer in found.layers if layer.is_auxiliary]:
        more = sum(layer.num_parameters for layer in auxiliary)
        lines.append(f"* only in training: {more:,} parameters more")
    return "\n".join(lines)


def _title(net: _Net) -> str:
    return f"{net.model_name} at {net.image_size} px, {net.num_classes} classes"


def main() -> None:
    """Prints the table, and draws the picture where one is wanted."""
    options = flags.read(NetworkOptions)
    net = _net_of(options)
    found = net_layers.find(
        net.model_name,
        net.head,
        num_classes=net.num_classes,
        image_size=net.image_size,
        channels=net.channels,
    )
    print(text(net, found))
    if options.output_svg:
        size = f"{net.image_size}x{net.image_size}x{net.channels}"
        with atomic_write(options.output_svg, "w") as file:
            file.write(net_picture.draw(_title(net), size, found.layers))


if __name__ == "__main__":
    flags.define(NetworkOptions)
    app.run(main)
