"""Which layers of keras.applications hold the weights of which scopes of slim's nets.

Keras gives most layers fixed names. Layers that it numbers (`conv2d_17`) are created in
slim's order, so the n-th of one net corresponds to the n-th of the other.
"""

import dataclasses
import re
from collections.abc import Callable, Mapping, Sequence

from common.natural_order import natural_key

CLASSIFIER = "<classifier>"  # stands for the last layer, whatever it is called


@dataclasses.dataclass(frozen=True)
class Names:
    """Names of a convolution or dense layer of a Keras model, and of its batch norm."""

    convolution: str | None
    batch_norm: str | None = None


# From the net's scopes and the names of the model's layers to names by scope.
Match = Callable[[Sequence[str], Sequence[str]], Mapping[str, Names]]


def _by_rules(*rules: tuple[str, str | None, str | None]) -> Match:
    """A match by rules: a pattern for the scope, and templates for both names."""

    def match(scopes: Sequence[str], _: Sequence[str]) -> dict[str, Names]:
        found = {}
        for scope in scopes:
            for pattern, *templates in rules:
                if parts := re.search(pattern, scope):
                    found[scope] = Names(*(t and parts.expand(t) for t in templates))
                    break
        return found

    return match


def _numbered(scopes: Sequence[str], names: Sequence[str]) -> dict[str, Names]:
    """Pairs the n-th scope with the n-th `conv2d` and `batch_normalization`."""
    convolutions, batch_norms = (
        sorted(
            (n for n in names if re.fullmatch(rf"{kind}(_\d+)?", n)), key=natural_key
        )
        for kind in ("conv2d", "batch_normalization")
    )
    return {
        scope: Names(convolution, batch_norm)
        for scope, convolution, batch_norm in zip(
            scopes, convolutions, batch_norms, strict=False
        )
    }


vgg = _by_rules(
    (r"/conv(\d)/conv\d_(\d)$", r"block\1_conv\2", None),
    ("/fc6$", "fc1", None),
    ("/fc7$", "fc2", None),
    ("/fc8$", CLASSIFIER, None),
)

mobilenet_v1 = _by_rules(
    ("/Conv2d_0$", "conv1", "conv1_bn"),
    (r"/Conv2d_(\d+)_depthwise$", r"conv_dw_\1", r"conv_dw_\1_bn"),
    (r"/Conv2d_(\d+)_pointwise$", r"conv_pw_\1", r"conv_pw_\1_bn"),
    ("/Logits/", CLASSIFIER, None),
)

mobilenet_v2 = _by_rules(
    ("/Conv$", "Conv1", "bn_Conv1"),
    (r"/expanded_conv/(\w+)$", r"expanded_conv_\1", r"expanded_conv_\1_BN"),
    (r"/expanded_conv_(\d+)/(\w+)$", r"block_\1_\2", r"block_\1_\2_BN"),
    ("/Conv_1$", "Conv_1", "Conv_1_bn"),
    ("/Logits/", CLASSIFIER, None),
)

mobilenet_v3 = _by_rules(
    ("/Logits/", CLASSIFIER, None),
    (r"/(\w+)/squeeze_excite/Conv$", r"\1_squeeze_excite_conv", None),
    (r"/(\w+)/squeeze_excite/Conv_1$", r"\1_squeeze_excite_conv_1", None),
    (r"/(\w+)/(\w+)$", r"\1_\2", r"\1_\2_bn"),
    ("/Conv$", "conv", "conv_bn"),
    ("/Conv_1$", "conv_1", "conv_1_bn"),
    ("/Conv_2$", "conv_2", None),
)


def inception_v3(scopes: Sequence[str], names: Sequence[str]) -> dict[str, Names]:
    """Matches InceptionV3, all of whose layers are numbered."""
    body = [scope for scope in scopes if "Logits" not in scope]
    return _numbered(body, names) | {
        "InceptionV3/Logits/Conv2d_1c_1x1": Names(CLASSIFIER)
    }


_inception_resnet_v2_named = _by_rules(
    (r"/(block\d+_\d+)/Conv2d_1x1$", r"\1_conv", None),
    ("/Block8/Conv2d_1x1$", "block8_10_conv", None),
    ("/Conv2d_7b_1x1$", "conv_7b", "conv_7b_bn"),
    ("V2/Logits/Logits$", CLASSIFIER, None),
)


def inception_resnet_v2(
    scopes: Sequence[str], names: Sequence[str]
) -> dict[str, Names]:
    """Matches InceptionResNetV2, most of whose layers are numbered."""
    named = _inception_resnet_v2_named(scopes, names)
    numbered = [s for s in scopes if s not in named and "/AuxLogits/" not in s]
    return _numbered(numbered, names) | dict(named)


def resnet(scopes: Sequence[str], names: Sequence[str]) -> dict[str, Names]:
    """Matches v1 and v2: the model shows which convolutions have a batch norm."""
    found = {}
    for scope in scopes:
        if unit := re.search(r"/block(\d)/unit_(\d+)/bottleneck_v\d/(\w+)$", scope):
            prefix = f"conv{int(unit[1]) + 1}_block{unit[2]}"
            place = unit[3].replace("shortcut", "0").removeprefix("conv")
            convolution, norm = f"{prefix}_{place}_conv", f"{prefix}_{place}_bn"
        else:
            place = scope.rpartition("/")[2]
            convolution, norm = f"{place}_conv", f"{place}_bn"
        if place == "logits":
            found[scope] = Names(CLASSIFIER)
        elif place == "preact":
            found[scope] = Names(None, norm)
        elif place == "postnorm":
            found[scope] = Names(None, "post_bn")
        else:
            found[scope] = Names(convolution, norm if norm in names else None)
    return found


_NASNET_IN_CELL = (
    ("path1_conv", "adjust_conv_1_{id}", None),
    ("path2_conv", "adjust_conv_2_{id}", None),
    ("final_path_bn", None, "adjust_bn_{id}"),
    ("prev_1x1", "adjust_conv_projection_{id}", None),
    ("prev_bn", None, "adjust_bn_{id}"),
    ("1x1", "{kind}_conv_1_{id}", None),
    ("beginning_bn", None, "{kind}_bn_1_{id}"),
)
_NASNET_SEPARABLE = re.compile(
    r"comb_iter_(\d)/(left|right)/(?:(separable)|bn_sep)_\dx\d_(\d)$"
)


def nasnet(scopes: Sequence[str], _: Sequence[str]) -> dict[str, Names]:
    """Matches NASNet-A, whose cells and combinations Keras numbers differently."""
    cells = {s.partition("/")[0] for s in scopes if re.match(r"cell_\d", s)}
    per_stack = len(cells) // 3
    found = {
        "conv0": Names("stem_conv1"),
        "conv0_bn": Names(None, "stem_bn1"),
        "final_layer/FC": Names(CLASSIFIER),
    }
    for scope in scopes:
        cell, _, inside = scope.partition("/")
        if re.match(r"(reduction_)?cell_", cell):
            found[scope] = _in_nasnet_cell(cell, inside, per_stack)
    return found


def _in_nasnet_cell(cell: str, inside: str, per_stack: int) -> Names:
    number = int(cell.rpartition("_")[2])
    if cell.startswith("cell_stem"):
        kind, block_id = "reduction", f"stem_{number + 1}"
    elif cell.startswith("reduction"):
        kind, block_id = "reduction", f"reduce_{(number + 1) * per_stack}"
    else:  # Keras skips one number, after the first stack.
        kind, block_id = "normal", str(number + (number >= per_stack))
    if place := _NASNET_SEPARABLE.match(inside):
        combination, side, is_convolution, repeat = place.groups()
        # Keras calls the fifth combination of a reduction its left4.
        nth = 4 if kind == "reduction" and combination == "4" else int(combination) + 1
        suffix = f"{kind}_{side}{nth}_{block_id}"
        if is_convolution:
            return Names(f"separable_conv_{repeat}_{suffix}")
        return Names(None, f"separable_conv_{repeat}_bn_{suffix}")
    names = {place: templates for place, *templates in _NASNET_IN_CELL}[inside]
    return Names(*(name and name.format(kind=kind, id=block_id) for name in names))
