"""EfficientNetV2: EfficientNets whose early blocks are fused, for fast training.

Tan and Le, "EfficientNetV2: Smaller Models and Faster Training",
https://arxiv.org/abs/2104.00298, tables 4 and 6. B0 to B3 are scaled as those of the
first version; S, M and L have tables of their own. The nets named after torchvision pad
convolutions alike on all sides, as PyTorch does.

ImageNet top-1 of the published weights: B0 to B3 78.7, 79.8, 80.5, 82.1; S, M and L
83.9, 85.3, 85.7; torchvision's S, M and L 84.2, 85.1, 85.8.
"""

from typing import Any

from nets import efficientnet, efficientnet_entries
from nets import efficientnet_blocks as blocks
from nets.efficientnet_blocks import Scale, Stage
from nets.net_entry import NetEntry

_LAST_DEPTH = 1280
_BATCH_NORM_DECAY = 0.9

# Channels of the first convolution, and stages.
_BASE = (
    32,
    (
        Stage(3, 1, 1, 16, 1, is_fused=True),
        Stage(3, 2, 4, 32, 2, is_fused=True),
        Stage(3, 2, 4, 48, 2, is_fused=True),
        Stage(3, 2, 4, 96, 3),
        Stage(3, 1, 6, 112, 5),
        Stage(3, 2, 6, 192, 8),
    ),
)
NETS = {
    **dict.fromkeys(("b0", "b1", "b2", "b3"), _BASE),
    "s": (
        24,
        (
            Stage(3, 1, 1, 24, 2, is_fused=True),
            Stage(3, 2, 4, 48, 4, is_fused=True),
            Stage(3, 2, 4, 64, 4, is_fused=True),
            Stage(3, 2, 4, 128, 6),
            Stage(3, 1, 6, 160, 9),
            Stage(3, 2, 6, 256, 15),
        ),
    ),
    "m": (
        24,
        (
            Stage(3, 1, 1, 24, 3, is_fused=True),
            Stage(3, 2, 4, 48, 5, is_fused=True),
            Stage(3, 2, 4, 80, 5, is_fused=True),
            Stage(3, 2, 4, 160, 7),
            Stage(3, 1, 6, 176, 14),
            Stage(3, 2, 6, 304, 18),
            Stage(3, 1, 6, 512, 5),
        ),
    ),
    "l": (
        32,
        (
            Stage(3, 1, 1, 32, 4, is_fused=True),
            Stage(3, 2, 4, 64, 7, is_fused=True),
            Stage(3, 2, 4, 96, 7, is_fused=True),
            Stage(3, 2, 4, 192, 10),
            Stage(3, 1, 6, 224, 19),
            Stage(3, 2, 6, 384, 25),
            Stage(3, 1, 6, 640, 7),
        ),
    ),
}
SCALES = {
    **{name: efficientnet.SCALES[name] for name in ("b0", "b1", "b2", "b3")},
    "s": Scale(1.0, 1.0, 384, 0.8),
    "m": Scale(1.0, 1.0, 480, 0.7),
    "l": Scale(1.0, 1.0, 480, 0.6),
}
_OF_TORCHVISION = {  # the preprocessing of each
    "s": "torchvision_bicubic",
    "m": "torchvision_bicubic",
    "l": "inception",
}


def conv_defs(name: str, *, pads: bool = False) -> dict[str, Any]:
    """The table of a net's layers, as `nets/mobilenet/conv_defs.py` describes them.

    Args:
      name: a key of `NETS`.
      pads: whether fused convolutions pad alike on all sides, as PyTorch does.
    """
    (stem_depth, stages), scale = NETS[name], SCALES[name]

    def scaled(depth: int) -> int:
        """To the nearest multiple of 8, however much less that is."""
        return max(8, int(depth * scale.width + 4) // 8 * 8)

    every: list[Stage] = []
    for stage in stages:
        wide = stage._replace(depth=scaled(stage.depth))
        every += blocks.repeated(wide, scale.depth)
    return blocks.table(every, scaled(stem_depth), scaled(_LAST_DEPTH), pads=pads)


def _entries() -> dict[str, NetEntry]:
    entries = {}
    for name, scale in SCALES.items():
        full, is_base = f"efficientnet_v2_{name}", name.startswith("b")
        entries[full] = efficientnet_entries.entry(
            full,
            conv_defs(name),
            scale,
            "efficientnet" if is_base else "efficientnet_v2",
            batch_norm_decay=_BATCH_NORM_DECAY,
        )
    for name, preprocessing in _OF_TORCHVISION.items():
        full = f"efficientnet_v2_{name}_torchvision"
        entries[full] = efficientnet_entries.entry(
            full,
            conv_defs(name, pads=True),
            SCALES[name],
            preprocessing,
            pads=True,
            batch_norm_decay=_BATCH_NORM_DECAY,
        )
    return entries


ENTRIES = _entries()
