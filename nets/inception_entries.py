"""The Inception nets by name: rows of the table of nets."""

import functools

from nets import inception
from nets.net_entry import NetEntry

ENTRIES: dict[str, NetEntry] = {
    "inception_v1": NetEntry(
        inception.inception_v1,
        inception.inception_v1_arg_scope,
        224,
        ("InceptionV1/Logits",),
        "inception",
    ),
    # For torchvision's googlenet, which was trained on the same pixel range as slim's.
    "inception_v1_torchvision": NetEntry(
        functools.partial(
            inception.inception_v1,
            scope="inception_v1_torchvision",
            global_pool=True,
            use_explicit_padding=True,
        ),
        inception.inception_v1_arg_scope,
        224,
        ("inception_v1_torchvision/Logits",),
        "inception",
    ),
    "inception_v2": NetEntry(
        inception.inception_v2,
        inception.inception_v2_arg_scope,
        224,
        ("InceptionV2/Logits",),
        "inception",
    ),
    "inception_v3": NetEntry(
        inception.inception_v3,
        inception.inception_v3_arg_scope,
        299,
        ("InceptionV3/Logits", "InceptionV3/AuxLogits"),
        "inception",
    ),
    "inception_v3_narrow": NetEntry(
        functools.partial(inception.inception_v3, depth_multiplier=0.25),
        inception.inception_v3_arg_scope,
        128,
        ("InceptionV3/Logits", "InceptionV3/AuxLogits"),
        "inception",
    ),
    # For nets trained in PyTorch, whose average pools count the zeros of the padding.
    "inception_v3_torchvision": NetEntry(
        functools.partial(
            inception.inception_v3,
            scope="inception_v3_torchvision",
            global_pool=True,
            counts_padding=True,
        ),
        inception.inception_v3_arg_scope,
        299,
        ("inception_v3_torchvision/Logits", "inception_v3_torchvision/AuxLogits"),
        "inception",
    ),
    "inception_v4": NetEntry(
        inception.inception_v4,
        inception.inception_v4_arg_scope,
        299,
        ("InceptionV4/Logits", "InceptionV4/AuxLogits"),
        "inception",
    ),
    "inception_resnet_v2": NetEntry(
        inception.inception_resnet_v2,
        inception.inception_resnet_v2_arg_scope,
        299,
        ("InceptionResnetV2/Logits", "InceptionResnetV2/AuxLogits"),
        "inception",
    ),
}
