r"""Converts a frozen graph to a slim checkpoint.

    python convert/frozen_graph_to_slim.py \
        --graph_file=frozen_inference_graph.pb \
        --checkpoint_path=weights/mobilenet_v1/model.ckpt

The net is recognized by the graph's constants, which have the variables' names. Graph
and result are run on the same images before anything is written. Pass the result to the
training script as `--checkpoint_path`.
"""

import script_start  # noqa: F401  (before all that takes time)

import dataclasses

import common.quiet_tensorflow  # noqa: F401  (before others load it)
from config import app, flags
from config.options import option
from convert.weights import conversion, frozen_graph
from convert.weights.options import ConversionOptions


@dataclasses.dataclass(frozen=True)
class GraphOptions(ConversionOptions):
    """Frozen graph."""

    graph_file: str = option(
        None, "The frozen graph: a GraphDef with constants (.pb).", required=True
    )
    model_name: str | None = option(
        None,
        "The net that was frozen, by its --model_name in training. By default the one"
        " whose variables the graph's constants fit.",
    )


def main() -> None:
    """Converts the graph that the flags name."""
    options = flags.read(GraphOptions)
    graph = frozen_graph.read(options.graph_file)
    source = frozen_graph.source(graph, options.model_name)
    conversion.convert(source, options.checkpoint_path, options.class_names)


if __name__ == "__main__":
    flags.define(GraphOptions)
    app.run(main, in_one_task=True)
