"""The rows of slim_variables.tsv have as many parameters as the papers' nets."""

import math

import pytest

from tests.nets import nets_golden_test

# Trained parameters for 1000 classes, as torchvision states them for its own nets, and
# Keras' summary for Xception. TensorFlow's EfficientNets have the same.
PARAMETERS = {
    "convnext_tiny": 28_589_128,
    "convnext_small": 50_223_688,
    "convnext_base": 88_591_464,
    "convnext_large": 197_767_336,
    "densenet_121": 7_978_856,
    "densenet_169": 14_149_480,
    "densenet_201": 20_013_928,
    "efficientnet_b0": 5_288_548,
    "efficientnet_b1": 7_794_184,
    "efficientnet_b2": 9_109_994,
    "efficientnet_b3": 12_233_232,
    "efficientnet_b4": 19_341_616,
    "efficientnet_b5": 30_389_784,
    "efficientnet_b6": 43_040_704,
    "efficientnet_b7": 66_347_960,
    "efficientnet_lite0": 4_652_008,
    "efficientnet_v2_s": 21_458_488,
    "efficientnet_v2_m": 54_139_356,
    "efficientnet_v2_l": 118_515_272,
    "vit_b16": 86_567_656,
    "vit_l16": 304_326_632,
    "xception": 22_855_952,
}


def _trained(net):
    """Numbers of the values, of 1000 classes in place of 1001."""
    shapes = [
        tuple(1000 if n == nets_golden_test.TSV_CLASSES else n for n in shape)
        for _, shape, is_trainable, _ in nets_golden_test.read_rows(net)
        if is_trainable
    ]
    return sum(map(math.prod, shapes))


@pytest.mark.parametrize("net", PARAMETERS)
def test_parameters_are_as_many_as_published(net):
    assert _trained(net) == PARAMETERS[net]
    if net.startswith("efficientnet_") and "lite" not in net:
        assert _trained(f"{net}_torchvision") == PARAMETERS[net]
