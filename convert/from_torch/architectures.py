"""The nets of torchvision and timm that can be converted, one row each."""

import dataclasses
import functools

from convert.from_torch import families, forward, inceptions, module_names
from convert.from_torch.architecture import (
    HALF,
    IMAGENET_MEAN,
    IMAGENET_STD,
    Architecture,
)

# A dictionary's net is the first row all of whose markers it has.
ARCHITECTURES = (
    families.resnet(152, "resnet_v1_152_torchvision", "35.conv3"),
    families.resnet(101, "resnet_v1_101_torchvision", "22.conv3"),
    families.resnet(50, "resnet_v1_50_torchvision", "5.conv3"),
    families.resnet(34, "resnet_v1_34", "5.conv2"),
    families.resnet(18, "resnet_v1_18", "1.conv2"),
    families.vgg_bn(19, "vgg_19", 49),
    families.vgg_bn(16, "vgg_16", 40),
    families.vgg_bn(13, "vgg_13", 31),
    families.vgg_bn(11, "vgg_a", 25),
    families.vgg(19, "vgg_19", 34),
    families.vgg(16, "vgg_16", 28),
    families.vgg(13, "vgg_13", 22),
    families.vgg(11, "vgg_a", 18),
    Architecture(
        "inception_v3 of torchvision or timm",
        "inception_v3",
        module_names.inception_v3,
        functools.partial(inceptions.inception_v3, counts_padding=False),
        ("Mixed_5b.branch1x1.conv",),
        "fc",
        caveat=(
            "In this net's 3x3 average pools, PyTorch counts the zeros around a map."
            " Slim does not, nor did the TensorFlow code that trained the weights"
            " torchvision and timm offer, so the nets were compared without them. For"
            " a net trained in PyTorch, give --model_name=inception_v3_torchvision,"
            " which counts them."
        ),
    ),
    Architecture(
        "inception_v3 trained in torchvision or timm",
        "inception_v3_torchvision",
        module_names.inception_v3,
        inceptions.inception_v3,
        ("Mixed_5b.branch1x1.conv",),
        "fc",
    ),
    Architecture(
        "torchvision's googlenet",
        "inception_v1_torchvision",
        module_names.googlenet,
        inceptions.googlenet,
        ("inception5b.branch4.1.conv",),
        "fc",
        ignored=("aux1.", "aux2."),
    ),
    Architecture(
        "timm's inception_v4",
        "inception_v4",
        module_names.inception_v4,
        inceptions.inception_v4,
        ("features.21.branch0.conv",),
        "last_linear",
    ),
    Architecture(
        "timm's inception_resnet_v2",
        "inception_resnet_v2",
        module_names.inception_resnet_v2,
        inceptions.inception_resnet_v2,
        ("repeat_2.8.conv2d",),
        "classif",
    ),
    Architecture(
        "torchvision's mobilenet_v2",
        "mobilenet_v2_torchvision",
        module_names.mobilenet,
        forward.mobilenet_v2,
        ("features.17.conv.2", "features.18.0"),
        "classifier.1",
        epsilon=1e-5,
        mean=IMAGENET_MEAN,
        std=IMAGENET_STD,
    ),
    families.mobilenet_v3("large", 15, strided=(2, 4, 7, 13), first_swish=7),
    families.mobilenet_v3("small", 11, strided=(1, 2, 4, 9), first_swish=4),
    families.efficientnet("b7", 640, 4, 7, 7, 10, 10, 13, 4),
    families.efficientnet("b6", 576, 3, 6, 6, 8, 8, 11, 3),
    families.efficientnet("b5", 512, 3, 5, 5, 7, 7, 9, 3),
    families.efficientnet("b4", 448, 2, 4, 4, 6, 6, 8, 2),
    families.efficientnet("b3", 384, 2, 3, 3, 5, 5, 6, 2),
    families.efficientnet("b2", 352, 2, 3, 3, 4, 4, 5, 2),
    families.efficientnet("b1", 320, 2, 3, 3, 4, 4, 5, 2),
    families.efficientnet("b0", 320, 1, 2, 2, 3, 3, 4, 1),
    families.efficientnet("lite4", 448, 1, 4, 4, 6, 6, 8, 1),
    families.efficientnet("lite3", 384, 1, 3, 3, 5, 5, 6, 1),
    families.efficientnet("lite2", 352, 1, 3, 3, 4, 4, 5, 1),
    families.efficientnet("lite1", 320, 1, 3, 3, 4, 4, 5, 1),
    families.efficientnet("lite0", 320, 1, 2, 2, 3, 3, 4, 1),
    families.efficientnet_of_torchvision("b7", 13, 384),
    families.efficientnet_of_torchvision("b6", 11, 344),
    families.efficientnet_of_torchvision("b5", 9, 304),
    families.efficientnet_of_torchvision("b4", 8, 272, epsilon=1e-5),
    families.efficientnet_of_torchvision("b3", 6, 232, epsilon=1e-5),
    families.efficientnet_of_torchvision("b2", 5, 208, epsilon=1e-5),
    families.efficientnet_of_torchvision("b1", 5, 192, epsilon=1e-5),
    families.efficientnet_of_torchvision("b0", 4, 192, epsilon=1e-5),
    dataclasses.replace(
        families.efficientnet_of_torchvision("v2_l", 25, 384), mean=HALF, std=HALF
    ),
    families.efficientnet_of_torchvision("v2_m", 18, 304),
    families.efficientnet_of_torchvision("v2_s", 15, 256),
    families.densenet(201, 48),
    families.densenet(169, 32),
    families.densenet(121, 24),
    families.convnext("large", 27, 192),
    families.convnext("base", 27, 128),
    families.convnext("small", 27, 96),
    families.convnext("tiny", 9, 96),
    families.vit_of_torchvision("l", 24, 1024),
    families.vit_of_torchvision("b", 12, 768),
    families.dinov2("b", 768),
    families.dinov2("s", 384),
    families.vit_of_timm("large", 24, 1024),
    families.vit_of_timm("base", 12, 768),
    families.vit_of_timm("small", 12, 384),
)
