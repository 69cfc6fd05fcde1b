r"""Makes a slim checkpoint of a PyTorch state dictionary.

    python -m convert.torch_to_slim --state_dict=resnet18.safetensors \
        --checkpoint_path=weights/resnet_v1_18/model.ckpt

The dictionary is that of a net of torchvision or timm, your own weights included; which
net it is, is seen from its names. Files of torch.save are read without PyTorch, and no
code in them is run. What PyTorch would compute is computed here in TensorFlow, and
compared with slim's net before anything is written.
"""

import script_start  # noqa: F401  (before all that takes time)

import dataclasses

from absl import logging

import common.quiet_tensorflow  # noqa: F401  (before others load it)
from config import app, flags
from config.options import option, split_list
from convert.from_torch import state_dict, torch_source
from convert.from_torch.architectures import ARCHITECTURES
from convert.weights import conversion
from convert.weights.options import ConversionOptions
from errors import UserError


@dataclasses.dataclass(frozen=True)
class TorchOptions(ConversionOptions):
    """PyTorch state dictionary."""

    state_dict: str = option(
        None,
        "A .safetensors, .pth or .pt file with model.state_dict() of one of: "
        + ", ".join(architecture.name for architecture in ARCHITECTURES)
        + ".",
        required=True,
    )
    state_dict_key: str | None = option(
        None,
        "Which weights to take from a file that holds several, such as state_dict_ema"
        " or model.module. By default those that are not moving averages.",
    )
    model_name: str | None = option(
        None,
        "The net to convert it to, where there is a choice: inception_v3_torchvision"
        " computes as PyTorch does, inception_v3 as the TensorFlow that the published"
        " weights were trained with. By default inception_v3.",
    )
    mean: str | None = option(
        None,
        "What was subtracted from the pixels, which were in [0, 1]: three numbers, red"
        " first. By default 0.5,0.5,0.5 for the inceptions and 0.485,0.456,0.406 for"
        " all others, as the published weights expect. The checkpoint takes what the"
        " net's own preprocessing in this package yields.",
    )
    std: str | None = option(
        None,
        "What the pixels were then divided by. By default 0.5,0.5,0.5 for the"
        " inceptions and 0.229,0.224,0.225 for all others.",
    )
    preprocessing_name: str | None = option(
        None,
        "Preprocessing of this package whose pixels the checkpoint will take; give it"
        " in training as well. By default the net's own. One with the same mean and std"
        " changes nothing in the net: torchvision's for a net that was trained with"
        " 0.485,0.456,0.406 and 0.229,0.224,0.225. With any other, pixels at the border"
        " differ.",
        choices=tuple(torch_source.NORMALISATIONS),
    )


def main() -> None:
    """Converts the state dictionary that the flags name."""
    options = flags.read(TorchOptions)
    mean, std = _numbers("mean", options.mean), _numbers("std", options.std)
    state = torch_source.without_prefix(
        state_dict.read(options.state_dict, options.state_dict_key)
    )
    architecture = torch_source.recognise(state, options.model_name)
    source = torch_source.source(
        state,
        architecture,
        mean=mean,
        std=std,
        preprocessing=options.preprocessing_name,
        is_published=torch_source.is_published(options.state_dict),
    )
    if source.has_classifier and not (options.class_names or source.is_published):
        logging.info(
            "The order of the classes is that of training: torchvision's ImageFolder"
            " sorts folders as text, timm by number and in lower case."
        )
    conversion.convert(source, options.checkpoint_path, options.class_names)


def _numbers(flag: str, text: str | None) -> tuple[float, ...] | None:
    if text is None:
        return None
    try:
        red, green, blue = map(float, split_list(text))
    except ValueError as error:
        raise UserError(
            f"--{flag}={text}: give three numbers, as in 0.485,0.456,0.406"
        ) from error
    return red, green, blue


if __name__ == "__main__":
    flags.define(TorchOptions)
    app.run(main)
