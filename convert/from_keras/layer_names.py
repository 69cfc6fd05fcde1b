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


def efficientnet(scopes: Sequence[str], names: Sequence[str]) -> dict[str, Names]:
    """Matches both versions, whose blocks have a number for each stage and a letter."""
    last = "_project_conv"
    blocks = [n.removesuffix(last) for n in names if re.match(rf"block\d\w{last}$", n)]
    blocks.sort()
    found = {}
    for scope in scopes:
        place = scope.partition("/")[2]
        block = re.match(r"expanded_conv(?:_(\d+))?/", place)
        if place.startswith("Logits/"):
            found[scope] = Names(CLASSIFIER)
        elif block is None:
            end = "top" if place == "Conv_1" else "stem"
            found[scope] = Names(f"{end}_conv", f"{end}_bn")
        else:
            name = blocks[int(block[1] or 0)]
            inside = _IN_EFFICIENTNET_BLOCK[place[block.end() :]]
            if inside.convolution == "dwconv" and f"{name}_dwconv" not in names:
                inside = Names("dwconv2", "bn")
            norm = inside.batch_norm and f"{name}_{inside.batch_norm}"
            found[scope] = Names(f"{name}_{inside.convolution}", norm)
    return found


_IN_EFFICIENTNET_BLOCK = {
    "expand": Names("expand_conv", "expand_bn"),
    "depthwise": Names("dwconv", "bn"),
    "squeeze_excite/Conv": Names("se_reduce"),
    "squeeze_excite/Conv_1": Names("se_expand"),
    "project": Names("project_conv", "project_bn"),
}


def densenet(scopes: Sequence[str], _: Sequence[str]) -> dict[str, Names]:
    """Matches DenseNets, whose blocks are `conv2` on, with `pool2` on in between."""
    found = {}
    for scope in scopes:
        place = scope.partition("/")[2]
        part = place.rpartition("/")[2]
        if unit := re.match(r"block(\d)/unit_(\d+)/", place):
            prefix = f"conv{int(unit[1]) + 1}_block{unit[2]}"
            found[scope] = {
                "preact": Names(None, f"{prefix}_0_bn"),
                "conv1": Names(f"{prefix}_1_conv", f"{prefix}_1_bn"),
                "conv2": Names(f"{prefix}_2_conv"),
            }[part]
        elif transition := re.match(r"transition(\d)/", place):
            prefix = f"pool{int(transition[1]) + 1}"
            is_norm = part == "preact"
            found[scope] = (
                Names(None, f"{prefix}_bn") if is_norm else Names(f"{prefix}_conv")
            )
        else:
            found[scope] = {
                "conv1": Names("conv1_conv", "conv1_bn"),
                "postnorm": Names(None, "bn"),
                "Logits": Names(CLASSIFIER),
            }[place]
    return found


_xception_named = _by_rules(
    (r"/conv(\d)$", r"block1_conv\1", r"block1_conv\1_bn"),
    (r"/(block\d+)/separable_conv(\d)$", r"\1_sepconv\2", r"\1_sepconv\2_bn"),
    (r"n/separable_conv(\d)$", r"block14_sepconv\1", r"block14_sepconv\1_bn"),
    ("/Logits$", CLASSIFIER, None),
)


def xception(scopes: Sequence[str], names: Sequence[str]) -> dict[str, Names]:
    """Matches Xception, whose shortcuts alone are numbered."""
    named = _xception_named(scopes, names)
    shortcuts = [scope for scope in scopes if scope not in named]
    return dict(named) | _numbered(shortcuts, names)


_convnext_rules = _by_rules(
    ("/stem/patches$", "stem_conv", None),
    ("/stem/LayerNorm$", "stem_layernorm", None),
    (r"/downsample_(\d)/patches$", r"downsampling_conv_\1", None),
    (r"/downsample_(\d)/LayerNorm$", r"downsampling_layernorm_\1", None),
    (r"/(block_\d+)/depthwise$", r"\1_depthwise_conv", None),
    (r"/(block_\d+)/LayerNorm$", r"\1_layernorm", None),
    (r"/(block_\d+)/expand$", r"\1_pointwise_conv_1", None),
    (r"/(block_\d+)/project$", r"\1_pointwise_conv_2", None),
    (r"/(block_\d+)/LayerScale$", r"\1_layer_scale", None),
    (r"/Logits$", CLASSIFIER, None),
    ("/LayerNorm$", "head_layernorm", None),
)


def convnext(scopes: Sequence[str], names: Sequence[str]) -> dict[str, Names]:
    """Matches ConvNeXts, whose layers begin with the name of the net.

    Keras counts blocks anew at each resolution, and both from 0.
    """
    depthwise = "_depthwise_conv"
    blocks = [n.removesuffix(depthwise) for n in names if n.endswith(depthwise)]
    blocks.sort(key=natural_key)
    prefix = blocks[0].partition("stage_")[0] if blocks else ""

    def renamed(name: str) -> str:
        if block := re.match(r"block_(\d+)", name):
            return blocks[int(block[1]) - 1] + name[block.end() :]
        if halving := re.match(r"(downsampling_\w+_)(\d)", name):
            return f"{prefix}{halving[1]}{int(halving[2]) - 2}"
        return name if name == CLASSIFIER else prefix + name

    found = _convnext_rules(scopes, names)
    return {s: Names(renamed(str(n.convolution))) for s, n in found.items()}


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
