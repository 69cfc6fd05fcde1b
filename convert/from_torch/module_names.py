"""Which modules of torchvision and timm hold the weights of which scopes of slim."""

import re
from collections.abc import Callable, Mapping, Sequence

from common.natural_order import natural_key

# A module with a kernel, or "" for a batch norm alone, and its batch norm.
Modules = tuple[str, str | None]
# From the net's scopes and the names of the convolutions to the modules by scope.
Match = Callable[[Sequence[str], Sequence[str]], Mapping[str, Modules]]

_UNIT = re.compile(r"/block(\d)/unit_(\d+)/\w+/(shortcut|conv(\d))$")


def resnet(scopes: Sequence[str], _: Sequence[str]) -> dict[str, Modules]:
    """Matches torchvision's resnet18 to resnet152."""
    found: dict[str, Modules] = {}
    for scope in scopes:
        if unit := _UNIT.search(scope):
            prefix = f"layer{unit[1]}.{int(unit[2]) - 1}"
            number = unit[4]
            found[scope] = (
                (f"{prefix}.conv{number}", f"{prefix}.bn{number}")
                if number
                else (f"{prefix}.downsample.0", f"{prefix}.downsample.1")
            )
        elif scope.endswith("/conv1"):
            found[scope] = ("conv1", "bn1")
        elif scope.endswith("/logits"):
            found[scope] = ("fc", None)
    return found


def vgg(scopes: Sequence[str], convolutions: Sequence[str]) -> dict[str, Modules]:
    """Matches torchvision's vgg11 to vgg19, whose layers are numbered in order."""
    names = sorted(convolutions, key=natural_key)
    names += ["classifier.0", "classifier.3", "classifier.6"]
    return {scope: (name, None) for scope, name in zip(scopes, names, strict=False)}


def vgg_bn(scopes: Sequence[str], convolutions: Sequence[str]) -> dict[str, Modules]:
    """Matches torchvision's vgg11_bn to vgg19_bn."""
    found = vgg(scopes, convolutions)
    return {scope: (name, norm_after(name)) for scope, (name, _) in found.items()}


def googlenet(scopes: Sequence[str], convolutions: Sequence[str]) -> dict[str, Modules]:
    """Matches torchvision's googlenet, whose layers are in slim's order."""
    names = sorted(convolutions, key=natural_key)
    found: dict[str, Modules] = {
        scope: (name, f"{name.removesuffix('.conv')}.bn")
        for scope, name in zip(scopes, names, strict=False)
    }
    return found | {scopes[-1]: ("fc", None)}


def inception_v3(
    scopes: Sequence[str], convolutions: Sequence[str]
) -> dict[str, Modules]:
    """Matches torchvision's and timm's inception_v3, with or without AuxLogits."""
    found = _by_block(scopes, convolutions, lambda block: f"{block}.")
    root = scopes[0].partition("/")[0]
    return found | {
        f"{root}/Logits/Conv2d_1c_1x1": ("fc", None),
        f"{root}/AuxLogits/Conv2d_2b_1x1": ("AuxLogits.fc", None),
    }


def inception_v4(
    scopes: Sequence[str], convolutions: Sequence[str]
) -> dict[str, Modules]:
    """Matches timm's inception_v4, whose blocks are numbered in slim's order."""
    blocks = list(dict.fromkeys(scope.split("/")[1] for scope in scopes))
    found = _by_block(
        scopes, convolutions, lambda block: f"features.{blocks.index(block)}."
    )
    return found | {"InceptionV4/Logits/Logits": ("last_linear", None)}


def inception_resnet_v2(
    scopes: Sequence[str], convolutions: Sequence[str]
) -> dict[str, Modules]:
    """Matches timm's inception_resnet_v2."""

    def prefix(block: str) -> str:
        if repeated := re.fullmatch(r"(Repeat\w*)/block\d+_(\d+)", block):
            return f"{repeated[1].lower()}.{int(repeated[2]) - 1}."
        return re.sub(r"(conv2d_\d[a-z]).*", r"\1", block.lower()) + "."

    found = _by_block(scopes, convolutions, prefix)
    return found | {"InceptionResnetV2/Logits/Logits": ("classif", None)}


def mobilenet(scopes: Sequence[str], convolutions: Sequence[str]) -> dict[str, Modules]:
    """Matches torchvision's mobilenet_v2 and v3, whose layers are in slim's order."""
    of_v3 = any(scope.endswith("/Conv_2") for scope in scopes)
    names = sorted(convolutions, key=natural_key)
    names += ["classifier.0", "classifier.3"] if of_v3 else ["classifier.1"]
    return {
        scope: (name, norm_after(name))
        for scope, name in zip(scopes, names, strict=False)
    }


def norm_after(name: str) -> str | None:
    """The batch norm after a module of a VGG or a MobileNet, if there is one.

    >>> norm_after("features.1.conv.0.0")
    'features.1.conv.0.1'
    """
    outer, _, number = name.rpartition(".")
    is_normalized = outer.startswith("features") and number.isdigit()
    return f"{outer}.{int(number) + 1}" if is_normalized else None


def _by_block(
    scopes: Sequence[str],
    convolutions: Sequence[str],
    prefix_of: Callable[[str], str],
) -> dict[str, Modules]:
    """Pairs a block's scopes with the convolutions under its prefix, in order."""
    blocks: dict[str, list[str]] = {}
    for scope in scopes:
        parts = scope.split("/")[1:]
        depth = 2 if parts[0].startswith("Repeat") else 1
        blocks.setdefault("/".join(parts[:depth]), []).append(scope)
    found: dict[str, Modules] = {}
    for block, inside in blocks.items():
        prefix = prefix_of(block)
        names = sorted(
            (name for name in convolutions if name.startswith(prefix)),
            key=lambda name: natural_key(_in_slims_order(name)),
        )
        for scope, name in zip(inside, names, strict=False):
            has_norm = name.endswith(".conv")
            norm = f"{name.removesuffix('.conv')}.bn" if has_norm else None
            found[scope] = (name, norm)
    return found


def _in_slims_order(name: str) -> str:
    """A name that sorts in slim's order: branch5x5 comes before branch3x3dbl."""
    return name.replace("branch3x3dbl", "branch6x6dbl")
