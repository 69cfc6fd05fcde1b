"""MobileNet v2 and v3 by name: rows of the table of nets."""

from nets.mobilenet import mobilenet, mobilenet_v2, mobilenet_v3
from nets.net_entry import NetEntry, wrapped_partial

ENTRIES: dict[str, NetEntry] = {
    "mobilenet_v2": NetEntry(
        mobilenet_v2.mobilenet,
        mobilenet_v2.training_scope,
        224,
        ("MobilenetV2/Logits",),
        "inception",
    ),
    "mobilenet_v2_140": NetEntry(
        mobilenet_v2.mobilenet_v2_140,
        mobilenet_v2.training_scope,
        224,
        ("MobilenetV2/Logits",),
        "inception",
    ),
    "mobilenet_v2_035": NetEntry(
        mobilenet_v2.mobilenet_v2_035,
        mobilenet_v2.training_scope,
        224,
        ("MobilenetV2/Logits",),
        "inception",
    ),
    "mobilenet_v3_small": NetEntry(
        mobilenet_v3.small,
        mobilenet_v3.training_scope,
        224,
        ("MobilenetV3/Logits",),
        "inception",
    ),
    "mobilenet_v3_large": NetEntry(
        mobilenet_v3.large,
        mobilenet_v3.training_scope,
        224,
        ("MobilenetV3/Logits",),
        "inception",
    ),
    "mobilenet_v3_small_minimalistic": NetEntry(
        mobilenet_v3.small_minimalistic,
        mobilenet_v3.training_scope,
        224,
        ("MobilenetV3/Logits",),
        "inception",
    ),
    "mobilenet_v3_large_minimalistic": NetEntry(
        mobilenet_v3.large_minimalistic,
        mobilenet_v3.training_scope,
        224,
        ("MobilenetV3/Logits",),
        "inception",
    ),
    "mobilenet_edgetpu": NetEntry(
        mobilenet_v3.edge_tpu,
        mobilenet_v3.training_scope,
        224,
        ("MobilenetEdgeTPU/Logits",),
        "inception",
    ),
    "mobilenet_edgetpu_075": NetEntry(
        mobilenet_v3.edge_tpu_075,
        mobilenet_v3.training_scope,
        224,
        ("MobilenetEdgeTPU/Logits",),
        "inception",
    ),
    # For torchvision's weights: it pads strided convolutions equally on every side.
    # ImageNet top-1/top-5 (IMAGENET1K_V1): 71.9/90.3, 74.0/91.3, 67.7/87.4.
    **{
        f"{name}_torchvision": NetEntry(
            wrapped_partial(
                network, scope=f"{name}_torchvision", use_explicit_padding=True
            ),
            mobilenet.training_scope,
            224,
            (f"{name}_torchvision/Logits",),
            "torchvision",
        )
        for name, network in (
            ("mobilenet_v2", mobilenet_v2.mobilenet),
            ("mobilenet_v3_large", mobilenet_v3.large),
            ("mobilenet_v3_small", mobilenet_v3.small),
        )
    },
}
