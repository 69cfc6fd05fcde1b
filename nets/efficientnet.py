"""EfficientNet and EfficientNet-Lite: MobileNet v2's blocks, scaled in three ways.

Tan and Le, "EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks",
https://arxiv.org/abs/1905.11946, table 1 and section 3.3. A net has more layers, wider
ones and larger images than B0 by factors that belong together. EfficientNet-Lite
(https://github.com/tensorflow/tpu/tree/master/models/official/efficientnet/lite) leaves
out squeeze-and-excite, has ReLU6 for swish, and scales neither the first and the last
convolution nor the number of blocks of the first and the last stage. The nets named
after torchvision pad convolutions alike on all sides, as PyTorch does.

ImageNet top-1 of the published weights at the nets' own sizes: B0 to B7 77.1, 79.1,
80.1, 81.6, 82.9, 83.6, 84.0, 84.3; torchvision's 77.7, 79.8, 80.6, 82.0, 83.4, 83.4,
84.0, 84.1; Lite0 to Lite4 75.1, 76.7, 77.6, 79.8, 81.5.
"""

from typing import Any

import tensorflow as tf

from nets import efficientnet_blocks as blocks
from nets import efficientnet_entries
from nets.efficientnet_blocks import Scale, Stage
from nets.mobilenet import layer_sizes
from nets.net_entry import NetEntry

_STEM_DEPTH, _LAST_DEPTH = 32, 1280

# At the size of B0.
STAGES = (
    Stage(3, 1, 1, 16, 1),
    Stage(3, 2, 6, 24, 2),
    Stage(5, 2, 6, 40, 2),
    Stage(3, 2, 6, 80, 3),
    Stage(5, 1, 6, 112, 3),
    Stage(5, 2, 6, 192, 4),
    Stage(3, 1, 6, 320, 1),
)
SCALES = {
    "b0": Scale(1.0, 1.0, 224, 0.8),
    "b1": Scale(1.0, 1.1, 240, 0.8),
    "b2": Scale(1.1, 1.2, 260, 0.7),
    "b3": Scale(1.2, 1.4, 300, 0.7),
    "b4": Scale(1.4, 1.8, 380, 0.6),
    "b5": Scale(1.6, 2.2, 456, 0.6),
    "b6": Scale(1.8, 2.6, 528, 0.5),
    "b7": Scale(2.0, 3.1, 600, 0.5),
    "lite0": Scale(1.0, 1.0, 224, 0.8),
    "lite1": Scale(1.0, 1.1, 240, 0.8),
    "lite2": Scale(1.1, 1.2, 260, 0.7),
    "lite3": Scale(1.2, 1.4, 280, 0.7),
    "lite4": Scale(1.4, 1.8, 300, 0.7),
}


def conv_defs(name: str) -> dict[str, Any]:
    """The table of a net's layers, as `nets/mobilenet/conv_defs.py` describes them.

    Args:
      name: a key of `SCALES`.
    """
    scale, is_lite = SCALES[name], name.startswith("lite")

    def scaled(depth: int) -> int:
        return layer_sizes.make_divisible(depth * scale.width, 8)

    every: list[Stage] = []
    for stage in STAGES:
        at_an_end = stage in (STAGES[0], STAGES[-1])
        factor = 1.0 if is_lite and at_an_end else scale.depth
        wide = stage._replace(depth=scaled(stage.depth))
        every += blocks.repeated(wide, factor)
    ends = (_STEM_DEPTH, _LAST_DEPTH)
    return blocks.table(
        every,
        *(ends if is_lite else map(scaled, ends)),
        activation_fn=tf.nn.relu6 if is_lite else blocks.silu,
        has_gates=not is_lite,
    )


def _entries() -> dict[str, NetEntry]:
    entries = {}
    for name, scale in SCALES.items():
        full, is_lite = f"efficientnet_{name}", name.startswith("lite")
        preprocessing = "efficientnet_lite" if is_lite else "efficientnet"
        entries[full] = efficientnet_entries.entry(
            full, conv_defs(name), scale, preprocessing
        )
    for name, scale in SCALES.items():
        if name.startswith("b"):
            full = f"efficientnet_{name}_torchvision"
            entries[full] = efficientnet_entries.entry(
                full, conv_defs(name), scale, "torchvision_bicubic", pads=True
            )
    return entries


ENTRIES = _entries()
