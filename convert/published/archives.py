"""The checkpoints that slim published, and other sources of weights for the same nets.

URLs and accuracies are those of slim's README and its MobileNet pages: ImageNet
validation, one central crop. No digests were ever published with the archives: those
here are pinned by other projects that download the same files.
"""

import dataclasses

_STORAGE = "https://storage.googleapis.com"
# slim's addresses http://download.tensorflow.org/… lead to the same files.
_MODELS = f"{_STORAGE}/download.tensorflow.org/models"
_SHA256 = {
    "vgg_16_2016_08_28.tar.gz": (
        "de44460bf79d3da5d843946bbee82a9a872a8bf020787922914aa9a4b125126e"
    ),
    "vgg_19_2016_08_28.tar.gz": (
        "9071fd96f91e261c62378cd073897cf038a278a1fbd6c763a8f9eecf311a3cf8"
    ),
    "inception_v1_2016_08_28.tar.gz": (
        "7a620c430fcaba8f8f716241f5148c4c47c035cce4e49ef02cfbe6cd1adf96a6"
    ),
    "inception_v2_2016_08_28.tar.gz": (
        "3b9d269984402003d8330affc4e1463c0b4cfd536339ad12446a48d72477480a"
    ),
    "inception_v3_2016_08_28.tar.gz": (
        "9430692d3002277fa1e1a94fb82331fe5da68b9afd725c2679c21a0319933228"
    ),
    "inception_v4_2016_09_09.tar.gz": (
        "272a2b24f68b2e51f3081479df075dd62b019ccda630e998fb7f6cf314c0f304"
    ),
    "inception_resnet_v2_2016_08_30.tar.gz": (
        "3471bf35c5322271081346a0bdfae0aee706561b8243ec3ba2249aea2dcb8506"
    ),
    "resnet_v1_50_2016_08_28.tar.gz": (
        "91a0dc25289e7ef648df304b15f06c43ce6f4446d08eb0168479dd2295101c73"
    ),
    "resnet_v1_101_2016_08_28.tar.gz": (
        "5d813fcf5e56e7c9c2483d73b46644394cdbb31f9f4bf7140fb2809f7aa11a19"
    ),
    "resnet_v1_152_2016_08_28.tar.gz": (
        "c89b549ada486d9c0db6d90e874a1a652d899f9b541ae9c430fee8251572181d"
    ),
    "resnet_v2_50_2017_04_14.tar.gz": (
        "2c5c3a852526d0d6e8a35829d4e50533468baaed834a0046ba430e80982ed57c"
    ),
    "resnet_v2_101_2017_04_14.tar.gz": (
        "b324d02f28839d11f382785bdf4444ec3bdccb28e1b691a4f45b8f04370e4191"
    ),
    "resnet_v2_152_2017_04_14.tar.gz": (
        "c3ec824f19b4919fc7d069dc3a2a9d0f045f35e843c563c4eeeefbedf4852867"
    ),
    "mobilenet_v2_1.4_224.tgz": (
        "a20d0c8d698502dc6a620528871c97a588885df7737556243a3412b39fce85e0"
    ),
    "nasnet-a_mobile_04_10_2017.tar.gz": (
        "aafa7066c238f02776da34b12fd6560e8d6784f73687ec5519d863a531335f38"
    ),
    "nasnet-a_large_04_10_2017.tar.gz": (
        "385a9aa44f1554e1e6cedf19b4e1bfe9b14b704b32acbf8f9f4f8327d72ad3fb"
    ),
    "pnasnet-5_mobile_2017_12_13.tar.gz": (
        "06ce8bf80d7711e820d6d1266c5b23c4820c8cabf827c65b1cfed2e4b16b5b93"
    ),
    "pnasnet-5_large_2017_12_13.tar.gz": (
        "ce5fa64421d5285ae0a434b51d9ab142c88b3d7e542558e6c91bd4f6533d17e3"
    ),
}


@dataclasses.dataclass(frozen=True)
class Archive:
    """A published checkpoint.

    Attributes:
      url: the URL of a gzipped tar file.
      top_1: accuracy in percent.
      top_5: top-5 accuracy in percent; None if it was not published.
      replacement: what follows `python convert/` to convert weights of the same
        architecture from elsewhere; "" if there are none.
      flags: flags that evaluation needs for this accuracy, besides `--model_name`.
      sha256: hexadecimal digest of the archive, if known.
    """

    url: str
    top_1: float
    top_5: float | None = None
    replacement: str = ""
    flags: str = ""
    sha256: str | None = None


_CAFFE = "--labels_offset=1"  # converted from Caffe: no background class
_AT_299 = "--preprocessing_name=inception --eval_image_size=299"
_AVERAGED = "--moving_average_decay=0.9999"


def _keras(name: str) -> str:
    return f"keras_to_slim.py --keras_model={name}"


def _timm(name: str) -> str:
    return f"torch_to_slim.py --state_dict={name}.tf_in1k.safetensors"


def _of_2016(
    file: str,
    top_1: float,
    top_5: float,
    replacement: str = "",
    flags: str = "",
) -> Archive:
    url = f"{_MODELS}/{file}.tar.gz"
    return Archive(url, top_1, top_5, replacement, flags, _SHA256[f"{file}.tar.gz"])


def _nasnet(file: str, top_1: float, top_5: float, replacement: str = "") -> Archive:
    url = f"{_MODELS}/{file}.tar.gz"
    digest = _SHA256[f"{file}.tar.gz"]
    return Archive(url, top_1, top_5, replacement, _AVERAGED, digest)


def _mobilenet_v1(width: str, keras_name: str, *top_1: float) -> dict[int, Archive]:
    folder = f"{_MODELS}/mobilenet_v1_2018_08_02"
    return {
        size: Archive(
            f"{folder}/mobilenet_v1_{width}_{size}.tgz",
            accuracy,
            replacement=_keras(keras_name),
        )
        for size, accuracy in zip((224, 192, 160, 128), top_1, strict=True)
    }


def _mobilenet_v2(width: str, keras_name: str, *top_1: float) -> dict[int, Archive]:
    folder = f"{_STORAGE}/mobilenet_v2/checkpoints"
    return {
        size: Archive(
            f"{folder}/mobilenet_v2_{width}_{size}.tgz",
            accuracy,
            None,
            _keras(keras_name),
            _AVERAGED,
            _SHA256.get(f"mobilenet_v2_{width}_{size}.tgz"),
        )
        for size, accuracy in zip((224, 192, 160, 128, 96), top_1, strict=False)
    }


def _mobilenet_v3(file: str, keras_name: str, top_1: float) -> dict[int, Archive]:
    url = f"{_STORAGE}/mobilenet_v3/checkpoints/{file}_224_1.0_float.tgz"
    return {224: Archive(url, top_1, None, _keras(keras_name), _AVERAGED)}


def _edgetpu(width: str, top_1: float) -> dict[int, Archive]:
    file = f"mobilenet_edgetpu_224_{width}.tgz"
    url = f"{_STORAGE}/mobilenet_edgetpu/checkpoints/{file}"
    return {224: Archive(url, top_1, None, "", _AVERAGED)}


# By the net's name, and by the side in pixels of the images it was trained on.
ARCHIVES: dict[str, dict[int, Archive]] = {
    "vgg_16": {224: _of_2016("vgg_16_2016_08_28", 71.5, 89.8, _keras("vgg16"), _CAFFE)},
    "vgg_19": {224: _of_2016("vgg_19_2016_08_28", 71.1, 89.8, _keras("vgg19"), _CAFFE)},
    "inception_v1": {
        224: _of_2016(
            "inception_v1_2016_08_28",
            69.8,
            89.6,
            "torch_to_slim.py --state_dict=googlenet-1378be20.pth",
        )
    },
    "inception_v2": {224: _of_2016("inception_v2_2016_08_28", 73.9, 91.8)},
    "inception_v3": {
        299: _of_2016("inception_v3_2016_08_28", 78.0, 93.9, _keras("inception_v3"))
    },
    "inception_v4": {
        299: _of_2016("inception_v4_2016_09_09", 80.2, 95.2, _timm("inception_v4"))
    },
    "inception_resnet_v2": {
        299: _of_2016(
            "inception_resnet_v2_2016_08_30", 80.4, 95.3, _keras("inception_resnet_v2")
        )
    },
    "resnet_v1_50": {
        224: _of_2016("resnet_v1_50_2016_08_28", 75.2, 92.2, _keras("resnet50"), _CAFFE)
    },
    "resnet_v1_101": {
        224: _of_2016(
            "resnet_v1_101_2016_08_28", 76.4, 92.9, _keras("resnet101"), _CAFFE
        )
    },
    "resnet_v1_152": {
        224: _of_2016(
            "resnet_v1_152_2016_08_28", 76.8, 93.2, _keras("resnet152"), _CAFFE
        )
    },
    "resnet_v2_50": {
        299: _of_2016(
            "resnet_v2_50_2017_04_14", 75.6, 92.8, _keras("resnet50v2"), _AT_299
        )
    },
    "resnet_v2_101": {
        299: _of_2016(
            "resnet_v2_101_2017_04_14", 77.0, 93.7, _keras("resnet101v2"), _AT_299
        )
    },
    "resnet_v2_152": {
        299: _of_2016(
            "resnet_v2_152_2017_04_14", 77.8, 94.1, _keras("resnet152v2"), _AT_299
        )
    },
    "mobilenet_v1": _mobilenet_v1("1.0", "mobilenet", 70.9, 70.0, 68.0, 65.2),
    "mobilenet_v1_075": _mobilenet_v1("0.75", "mobilenet_075", 68.4, 67.2, 65.3, 62.1),
    "mobilenet_v1_050": _mobilenet_v1("0.5", "mobilenet_050", 63.3, 61.7, 59.1, 56.3),
    "mobilenet_v1_025": _mobilenet_v1("0.25", "mobilenet_025", 49.8, 47.7, 45.5, 41.5),
    "mobilenet_v2": _mobilenet_v2("1.0", "mobilenet_v2", 71.8, 70.7, 68.8, 65.3, 60.3),
    "mobilenet_v2_140": _mobilenet_v2("1.4", "mobilenet_v2_140", 75.0),
    "mobilenet_v2_035": _mobilenet_v2(
        "0.35", "mobilenet_v2_035", 60.3, 58.2, 55.7, 50.8, 45.5
    ),
    "mobilenet_v3_small": _mobilenet_v3("v3-small", "mobilenet_v3_small", 67.5),
    "mobilenet_v3_large": _mobilenet_v3("v3-large", "mobilenet_v3_large", 75.2),
    "mobilenet_v3_small_minimalistic": _mobilenet_v3(
        "v3-small-minimalistic", "mobilenet_v3_small_minimalistic", 61.9
    ),
    "mobilenet_v3_large_minimalistic": _mobilenet_v3(
        "v3-large-minimalistic", "mobilenet_v3_large_minimalistic", 72.3
    ),
    "mobilenet_edgetpu": _edgetpu("1.0", 75.6),
    "mobilenet_edgetpu_075": _edgetpu("0.75", 73.5),
    "nasnet_mobile": {
        224: _nasnet("nasnet-a_mobile_04_10_2017", 74.0, 91.6, _keras("nasnet_mobile"))
    },
    "nasnet_large": {
        331: _nasnet("nasnet-a_large_04_10_2017", 82.7, 96.2, _keras("nasnet_large"))
    },
    "pnasnet_mobile": {224: _nasnet("pnasnet-5_mobile_2017_12_13", 74.2, 91.9)},
    "pnasnet_large": {331: _nasnet("pnasnet-5_large_2017_12_13", 82.9, 96.2)},
}
