r"""Makes a slim checkpoint of the constants in a frozen graph.

    python -m convert.frozen_graph_to_slim \
        --graph_file=frozen_inference_graph.pb \
        --checkpoint_path=checkpoints/mobilenet_v1/model.ckpt

Which net was frozen is found from the constants, which keep the variables' names. Graph
and result are run on the same images before anything is written. `--checkpoint_path` of
the training script takes the result.
"""

import script_start  # noqa: F401  (before all that takes time)

from absl import flags

import common.quiet_tensorflow  # noqa: F401  (before others load it)
from config import app
from convert.weights import frozen_graph, weight_classes, weight_conversion

FLAGS = flags.FLAGS


def main() -> None:
    """Converts the graph that the flags name."""
    graph = frozen_graph.read(FLAGS.graph_file)
    source = frozen_graph.source(graph, FLAGS.model_name)
    weight_conversion.convert(source, FLAGS.checkpoint_path, FLAGS.class_names)


def _define_flags() -> None:
    flags.DEFINE_string(
        "graph_file", None, "The frozen graph: a GraphDef with constants (.pb)."
    )
    flags.DEFINE_string(
        "checkpoint_path",
        None,
        "Where to write the checkpoint: a prefix such as folder/model.ckpt, to which "
        "TensorFlow's endings .index and .data-00000-of-00001 are added.",
    )
    flags.DEFINE_string(
        "model_name",
        None,
        "The net that was frozen, as the training script calls it. Unset: the one that "
        "the graph's variables fit.",
    )
    weight_classes.define_flag()
    flags.mark_flags_as_required(["graph_file", "checkpoint_path"])


if __name__ == "__main__":
    _define_flags()
    app.run(main)
