"""Vision transformers' state dictionaries: names of three libraries, and refusals."""

import numpy as np
import pytest

from convert.from_torch import recognition, vits
from errors import UserError

TORCHVISION = {  # of one block, and timm's names
    "class_token": "cls_token",
    "conv_proj.weight": "patch_embed.proj.weight",
    "encoder.pos_embedding": "pos_embed",
    "encoder.layers.encoder_layer_11.ln_1.bias": "blocks.11.norm1.bias",
    "encoder.layers.encoder_layer_11.self_attention.in_proj_weight": (
        "blocks.11.attn.qkv.weight"
    ),
    "encoder.layers.encoder_layer_11.self_attention.out_proj.bias": (
        "blocks.11.attn.proj.bias"
    ),
    "encoder.layers.encoder_layer_11.ln_2.weight": "blocks.11.norm2.weight",
    "encoder.layers.encoder_layer_11.mlp.0.weight": "blocks.11.mlp.fc1.weight",
    "encoder.layers.encoder_layer_1.mlp.linear_2.bias": "blocks.1.mlp.fc2.bias",
    "encoder.ln.weight": "norm.weight",
    "heads.head.bias": "head.bias",
}


def test_names_of_torchvision_become_timms():
    state = {name: np.ones(1) for name in TORCHVISION}
    assert list(vits.like_timm(state)) == list(TORCHVISION.values())
    theirs = dict.fromkeys(TORCHVISION.values(), np.ones(1))
    assert list(vits.like_timm(theirs)) == list(theirs)


def _state(depth=384, patch=16, grid=14, **parameters):
    """As much of timm's dictionary as tells nets apart."""
    return {
        "patch_embed.proj.weight": np.ones((depth, 3, patch, patch), np.float32),
        "pos_embed": np.ones((1, 1 + grid**2, depth), np.float32),
        "blocks.11.norm2.weight": np.ones(depth, np.float32),
        **parameters,
    }


@pytest.mark.parametrize(
    ("depth", "marker", "net"),
    [
        (384, "cls_token", "vit_s16"),
        (768, "cls_token", "vit_b16"),
        (1024, "blocks.23.norm2.weight", "vit_l16"),
    ],
)
def test_the_width_and_depth_tell_the_net(depth, marker, net):
    state = _state(depth, **{marker: np.ones(1)})
    assert recognition.recognize(state).model_name == net


def test_layer_scale_tells_dinov2():
    state = _state(768, 14, 37, **{"blocks.11.ls2.gamma": np.ones(1)})
    assert recognition.recognize(state).model_name == "dinov2_b14"


@pytest.mark.parametrize(
    ("state", "message"),
    [
        (
            _state(patch=32, grid=7),
            "patches of 32x32 pixels; vit_s16 has 16x16",
        ),
        (
            _state(grid=24),
            "for 24x24 patches, images of 384 pixels; vit_s16 has 14x14, of 224 pixels",
        ),
        (
            _state(
                patch=14,
                grid=37,
                **{
                    "blocks.11.ls2.gamma": np.ones(1),
                    "register_tokens": np.ones((1, 4, 384)),
                },
            ),
            r"with 4 registers \(register_tokens\); dinov2_s14 has none",
        ),
    ],
)
def test_variants_are_refused_by_name(state, message):
    with pytest.raises(UserError, match=message):
        recognition.recognize(state)


def test_another_size_names_its_own_entry():
    message = "that of timm's vit_base_patch16_224, which converts to vit_b16"
    with pytest.raises(UserError, match=message):
        recognition.recognize(_state(768), "vit_s16")
