"""NASNet and PNASNet by name: rows of the table of nets."""

from nets.nasnet import nasnet, pnasnet
from nets.net_entry import NetEntry

ENTRIES: dict[str, NetEntry] = {
    "nasnet_cifar": NetEntry(
        nasnet.build_nasnet_cifar,
        nasnet.nasnet_cifar_arg_scope,
        32,
        ("final_layer", "aux_11/aux_logits/FC"),
        "cifarnet",
    ),
    "nasnet_mobile": NetEntry(
        nasnet.build_nasnet_mobile,
        nasnet.nasnet_mobile_arg_scope,
        224,
        ("final_layer", "aux_7/aux_logits/FC"),
        "inception",
    ),
    "nasnet_large": NetEntry(
        nasnet.build_nasnet_large,
        nasnet.nasnet_large_arg_scope,
        331,
        ("final_layer", "aux_11/aux_logits/FC"),
        "inception",
    ),
    "pnasnet_mobile": NetEntry(
        pnasnet.build_pnasnet_mobile,
        pnasnet.pnasnet_mobile_arg_scope,
        224,
        ("final_layer", "aux_5/aux_logits/FC"),
        "inception",
    ),
    "pnasnet_large": NetEntry(
        pnasnet.build_pnasnet_large,
        pnasnet.pnasnet_large_arg_scope,
        331,
        ("final_layer", "aux_7/aux_logits/FC"),
        "inception",
    ),
}
