"""Vision transformers of torchvision, timm and DINOv2: names, and computation.

All are brought to timm's names, which DINOv2 shares.
"""

import math
import re
from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from convert.from_torch.layers import VALID, Layers
from convert.from_torch.module_names import Modules
from convert.from_torch.state_dict import State
from errors import UserError
from nets import positions
from nets.vit import SIZES

_HEAD_DEPTH = 64  # channels of an attention's head, in all of these nets
_OF_TORCHVISION = (  # patterns for the start or the end of names, and timm's
    (r"^conv_proj\.", "patch_embed.proj."),
    ("^class_token$", "cls_token"),
    (r"^encoder\.pos_embedding$", "pos_embed"),
    (r"^encoder\.layers\.encoder_layer_(\d+)\.", r"blocks.\1."),
    (r"\.ln_(\d)\.", r".norm\1."),
    (r"\.self_attention\.in_proj_(\w+)$", r".attn.qkv.\1"),
    (r"\.self_attention\.out_proj\.", ".attn.proj."),
    (r"\.mlp\.(?:0|linear_1)\.", ".mlp.fc1."),
    (r"\.mlp\.(?:3|linear_2)\.", ".mlp.fc2."),
    (r"^encoder\.ln\.", "norm."),
    (r"^heads\.head\.", "head."),
)
_PLACES = {
    "embedding/patches": "patch_embed.proj",
    "embedding/class_token": "cls_token",
    "embedding/positions": "pos_embed",
    "LayerNorm": "norm",
    "Logits": "head",
}
_IN_BLOCK = {
    "attention/LayerNorm": "norm1",
    "attention/qkv": "attn.qkv",
    "attention/project": "attn.proj",
    "attention/LayerScale": "ls1.gamma",
    "mlp/LayerNorm": "norm2",
    "mlp/expand": "mlp.fc1",
    "mlp/project": "mlp.fc2",
    "mlp/LayerScale": "ls2.gamma",
}
_REGISTERS = ("register_tokens", "reg_token")


def like_timm(state: State) -> State:
    """The parameters of a ViT of torchvision under the names of timm."""
    renamed = {}
    for name, values in state.items():
        for pattern, replacement in _OF_TORCHVISION:
            name = re.sub(pattern, replacement, name)  # noqa: PLW2901
        renamed[name] = values
    return renamed


def check(state: State, model_name: str) -> None:
    """Refuses transformers with registers, other patches, or another grid of places.

    Args:
      state: parameters by timm's names.
      model_name: slim's net.

    Raises:
      UserError: says what differs.
    """
    size = SIZES[model_name]
    patch = state["patch_embed.proj.weight"].shape[-1]
    if registers := [name for name in _REGISTERS if name in state]:
        number = state[registers[0]].shape[-2]
        raise UserError(
            f"the state dictionary is that of a transformer with {number} registers"
            f" ({registers[0]}); {model_name} has none: give one trained without"
        )
    if patch != size.patch:
        raise UserError(
            f"the state dictionary is that of a transformer with patches of"
            f" {patch}x{patch} pixels; {model_name} has {size.patch}x{size.patch}"
        )
    places = state["pos_embed"].shape[1] - 1
    if places != size.grid**2:
        side = math.isqrt(places)
        raise UserError(
            f"the state dictionary has position embeddings for {side}x{side} patches,"
            f" images of {side * patch} pixels; {model_name} has {size.grid}x"
            f"{size.grid}, of {size.grid * patch} pixels"
        )


def match(scopes: Sequence[str], _: Sequence[str]) -> dict[str, Modules]:
    """Matches modules and parameters, by timm's names, to the scopes of slim's net."""
    found: dict[str, Modules] = {}
    for scope in scopes:
        place = scope.partition("/")[2]
        if block := re.match(r"block_(\d+)/", place):
            name = f"blocks.{int(block[1]) - 1}.{_IN_BLOCK[place[block.end() :]]}"
        else:
            name = _PLACES[place]
        found[scope] = (name, None)
    return found


def forward(net: Layers, x: tf.Tensor) -> tf.Tensor:
    """Dosovitskiy et al., arXiv 2010.11929; with layer scale it is DINOv2's.

    Args:
      net: the layers, by timm's names.
      x: images.
    """
    patch = net.state["patch_embed.proj.weight"].shape[-1]
    x = net.conv(x, "patch_embed.proj", patch, VALID)
    _, side, _, depth = x.shape
    tokens = tf.reshape(x, [-1, side * side, depth])
    places = tf.constant(net.state["pos_embed"])
    is_dinov2 = "blocks.0.ls1.gamma" in net.state
    how = positions.OF_DINOV2 if is_dinov2 else positions.OF_TIMM
    first = tf.constant(net.state["cls_token"]) + places[:, :1]
    tokens += positions.resized(places[:, 1:], side, how)
    x = tf.concat([tf.tile(first, [len(x), 1, 1]), tokens], 1)
    block = 0
    while net.has(f"blocks.{block}.norm1"):
        x = _block(net, x, f"blocks.{block}")
        block += 1
    x = net.layer_norm(x[:, 0], "norm")
    return net.linear(x, "head") if net.has("head") else x


def _block(net: Layers, x: tf.Tensor, prefix: str) -> tf.Tensor:
    def scaled(branch: tf.Tensor, name: str) -> tf.Tensor:
        return branch * net.state.get(f"{prefix}.{name}.gamma", np.float32(1))

    y = _attention(net, net.layer_norm(x, f"{prefix}.norm1"), f"{prefix}.attn")
    x += scaled(y, "ls1")
    y = net.linear(net.layer_norm(x, f"{prefix}.norm2"), f"{prefix}.mlp.fc1")
    y = net.linear(tf.nn.gelu(y, approximate=False), f"{prefix}.mlp.fc2")
    return x + scaled(y, "ls2")


def _attention(net: Layers, x: tf.Tensor, prefix: str) -> tf.Tensor:
    """Each head by itself: its slices of queries, keys and values."""
    depth = x.shape[-1]
    qkv = net.linear(x, f"{prefix}.qkv")
    heads = []
    for start in range(0, depth, _HEAD_DEPTH):
        query, key, value = (
            qkv[..., part + start : part + start + _HEAD_DEPTH]
            for part in (0, depth, 2 * depth)
        )
        alike = tf.matmul(query, key, transpose_b=True) / math.sqrt(_HEAD_DEPTH)
        heads.append(tf.matmul(tf.nn.softmax(alike), value))
    return net.linear(tf.concat(heads, -1), f"{prefix}.proj")
