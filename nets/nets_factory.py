"""The table of nets: one row per `--model_name`."""

from typing import Any

import tensorflow as tf

from errors import UserError, nearest
from nets import (
    alexnet,
    cifarnet,
    convnext,
    cut,
    densenet,
    efficientnet,
    efficientnet_v2,
    inception_entries,
    lenet,
    mobilenet_v1,
    net_entry,
    new_head,
    overfeat,
    resnet_ports,
    resnet_utils,
    resnet_v1,
    resnet_v1_basic,
    resnet_v2,
    slim,
    vgg,
    vit,
    xception,
)
from nets.mobilenet import entries as mobilenet_entries
from nets.nasnet import entries as nasnet_entries
from nets.new_head import OWN_HEAD, NewHead

NetEntry = net_entry.NetEntry
NetworkFn = net_entry.NetworkFn

NETWORKS: dict[str, NetEntry] = {
    "alexnet_v2": NetEntry(
        alexnet.alexnet_v2,
        alexnet.alexnet_v2_arg_scope,
        224,
        ("alexnet_v2/fc8",),
        "vgg",
    ),
    "cifarnet": NetEntry(
        cifarnet.cifarnet,
        cifarnet.cifarnet_arg_scope,
        32,
        ("CifarNet/logits",),
        "cifarnet",
    ),
    "lenet": NetEntry(lenet.lenet, lenet.lenet_arg_scope, 28, ("LeNet/fc4",), "lenet"),
    "overfeat": NetEntry(
        overfeat.overfeat, overfeat.overfeat_arg_scope, 231, ("overfeat/fc8",), "vgg"
    ),
    "vgg_a": NetEntry(vgg.vgg_a, vgg.vgg_arg_scope, 224, ("vgg_a/fc8",), "vgg"),
    "vgg_13": NetEntry(vgg.vgg_13, vgg.vgg_arg_scope, 224, ("vgg_13/fc8",), "vgg"),
    "vgg_16": NetEntry(vgg.vgg_16, vgg.vgg_arg_scope, 224, ("vgg_16/fc8",), "vgg"),
    "vgg_19": NetEntry(vgg.vgg_19, vgg.vgg_arg_scope, 224, ("vgg_19/fc8",), "vgg"),
    **inception_entries.ENTRIES,
    "resnet_v1_18": NetEntry(
        resnet_v1_basic.resnet_v1_18,
        resnet_utils.resnet_arg_scope,
        224,
        ("resnet_v1_18/logits",),
        "torchvision",
    ),
    "resnet_v1_34": NetEntry(
        resnet_v1_basic.resnet_v1_34,
        resnet_utils.resnet_arg_scope,
        224,
        ("resnet_v1_34/logits",),
        "torchvision",
    ),
    "resnet_v1_50": NetEntry(
        resnet_v1.resnet_v1_50,
        resnet_utils.resnet_arg_scope,
        224,
        ("resnet_v1_50/logits",),
        "vgg",
    ),
    "resnet_v1_101": NetEntry(
        resnet_v1.resnet_v1_101,
        resnet_utils.resnet_arg_scope,
        224,
        ("resnet_v1_101/logits",),
        "vgg",
    ),
    "resnet_v1_152": NetEntry(
        resnet_v1.resnet_v1_152,
        resnet_utils.resnet_arg_scope,
        224,
        ("resnet_v1_152/logits",),
        "vgg",
    ),
    "resnet_v1_200": NetEntry(
        resnet_v1.resnet_v1_200,
        resnet_utils.resnet_arg_scope,
        224,
        ("resnet_v1_200/logits",),
        "vgg",
    ),
    "resnet_v2_50": NetEntry(
        resnet_v2.resnet_v2_50,
        resnet_utils.resnet_arg_scope,
        224,
        ("resnet_v2_50/logits",),
        "vgg",
    ),
    "resnet_v2_101": NetEntry(
        resnet_v2.resnet_v2_101,
        resnet_utils.resnet_arg_scope,
        224,
        ("resnet_v2_101/logits",),
        "vgg",
    ),
    "resnet_v2_152": NetEntry(
        resnet_v2.resnet_v2_152,
        resnet_utils.resnet_arg_scope,
        224,
        ("resnet_v2_152/logits",),
        "vgg",
    ),
    "resnet_v2_200": NetEntry(
        resnet_v2.resnet_v2_200,
        resnet_utils.resnet_arg_scope,
        224,
        ("resnet_v2_200/logits",),
        "vgg",
    ),
    **resnet_ports.ENTRIES,
    "mobilenet_v1": NetEntry(
        mobilenet_v1.mobilenet_v1,
        mobilenet_v1.mobilenet_v1_arg_scope,
        224,
        ("MobilenetV1/Logits",),
        "inception",
    ),
    "mobilenet_v1_075": NetEntry(
        mobilenet_v1.mobilenet_v1_075,
        mobilenet_v1.mobilenet_v1_arg_scope,
        224,
        ("MobilenetV1/Logits",),
        "inception",
    ),
    "mobilenet_v1_050": NetEntry(
        mobilenet_v1.mobilenet_v1_050,
        mobilenet_v1.mobilenet_v1_arg_scope,
        224,
        ("MobilenetV1/Logits",),
        "inception",
    ),
    "mobilenet_v1_025": NetEntry(
        mobilenet_v1.mobilenet_v1_025,
        mobilenet_v1.mobilenet_v1_arg_scope,
        224,
        ("MobilenetV1/Logits",),
        "inception",
    ),
    **mobilenet_entries.ENTRIES,
    **efficientnet.ENTRIES,
    **efficientnet_v2.ENTRIES,
    **convnext.ENTRIES,
    **densenet.ENTRIES,
    **xception.ENTRIES,
    **vit.ENTRIES,
    **nasnet_entries.ENTRIES,
}

# The same as two tables, in which code written for slim looks names up.
networks_map = {name: entry.builder for name, entry in NETWORKS.items()}
arg_scopes_map = {name: entry.arg_scope for name, entry in NETWORKS.items()}


def get_entry(name: str) -> NetEntry:
    """The row called `name`.

    Raises:
      UserError: no net has this name.
    """
    if name not in NETWORKS:
        raise UserError(
            f"--model_name={name}: no such net{nearest(name, NETWORKS)}; docs/nets.md"
            f" lists all {len(NETWORKS)}"
        )
    return NETWORKS[name]


def head_scopes(name: str, head: NewHead = OWN_HEAD) -> tuple[str, ...]:
    """Scopes of a network's head, the auxiliary one included.

    Raises:
      UserError: no network has this name.
    """
    own = get_entry(name).head_scopes
    return (head.scope(own[0]),) if head else own


def get_network_fn(
    name: str,
    num_classes: int | None,
    weight_decay: float = 0.0,
    is_training: bool = False,
    head: NewHead = OWN_HEAD,
) -> NetworkFn:
    """A net as a function of images alone, as in slim.

    Args:
      name: a key of `NETWORKS`.
      num_classes: number of logits; None or 0 returns the features before them.
      weight_decay: coefficient of the L2 penalty on the regularized variables.
      is_training: mode of batch norm and dropout.
      head: replaces the net's own heads, auxiliary ones included.

    Returns:
      A function `network_fn(images, **options)` that returns (logits, end_points) and
      has the attribute `default_image_size`. `images` are `[batch, height, width,
      channels]` float32, preprocessed for the net.

    Raises:
      UserError: no net has this name.
    """
    entry = get_entry(name)

    def network_fn(
        images: tf.Tensor, **options: Any
    ) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
        # Entered here, the arg scope inherits those around the call.
        with slim.arg_scope(entry.arg_scope(weight_decay=weight_decay)):
            if not head:
                return entry.builder(
                    images, num_classes=num_classes, is_training=is_training, **options
                )
            features, end_points = cut.build(
                *(entry, head.final_endpoint, images, num_classes),
                is_training=is_training,
                options=options,
            )
        logits, of_head = new_head.build(
            *(features, head, num_classes),
            scope=head.scope(entry.head_scopes[0]),
            weight_decay=weight_decay,
            is_training=is_training,
        )
        return logits, {**end_points, **of_head}

    network_fn.default_image_size = entry.image_size  # type: ignore[attr-defined]
    return network_fn
