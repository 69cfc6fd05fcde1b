r"""Converts a PyTorch state dictionary to a slim checkpoint.

    python convert/torch_to_slim.py --state_dict=resnet18.safetensors \
        --checkpoint_path=weights/resnet_v1_18/model.ckpt

The dictionary is that of a net of torchvision or timm, with published weights or your
own; the net is recognized by the names in it. Files of torch.save are read without
PyTorch, and no code in them is run. What PyTorch computes is computed here in
TensorFlow and compared with slim's net before anything is written.
"""

import script_start  # noqa: F401  (before all that takes time)

import dataclasses

from absl import logging

import common.quiet_tensorflow  # noqa: F401  (before others load it)
from config import app, flags
from config.options import option, split_list
from convert.from_torch import recognition, state_dict, torch_source
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
        "Which weights to use from a file that holds several, such as state_dict_ema or"
        " model.module. By default those that are not moving averages.",
    )
    model_name: str | None = option(
        None,
        "The net to convert to, if there is a choice: inception_v3_torchvision"
        " computes what PyTorch does, inception_v3 what the TensorFlow code did that"
        " trained the published weights. By default inception_v3.",
    )
    mean: str | None = option(
        None,
        "What was subtracted from the pixels, which were in [0, 1], in training: three"
        " numbers, red first. By default 0.5,0.5,0.5 for the Inceptions,"
        " timm's transformers and efficientnet_v2_l, 127/255 for EfficientNet-Lite and"
        " 0.485,0.456,0.406 for all others, as for the published weights. The"
        " checkpoint takes the output of slim's preprocessing in any case.",
    )
    std: str | None = option(
        None,
        "What the pixels were then divided by. By default the deviation that belongs"
        " to the mean, as 0.229,0.224,0.225 to 0.485,0.456,0.406.",
    )
    preprocessing_name: str | None = option(
        None,
        "Preprocessing whose output the checkpoint takes; give the same flag in"
        " training. By default the net's own. One with the same mean and std leaves the"
        " weights unchanged, as torchvision does for a net trained with"
        " 0.485,0.456,0.406 and 0.229,0.224,0.225; with any other, results at the"
        " border of images differ slightly.",
        choices=tuple(torch_source.NORMALIZATIONS),
    )


def main() -> None:
    """Converts the state dictionary that the flags name."""
    options = flags.read(TorchOptions)
    mean, std = _numbers("mean", options.mean), _numbers("std", options.std)
    state = recognition.without_prefix(
        state_dict.read(options.state_dict, options.state_dict_key)
    )
    architecture = recognition.recognize(state, options.model_name)
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
            "The classes are in the order of training: torchvision's ImageFolder sorts"
            " folders as text, timm by number and in lower case."
        )
    conversion.convert(source, options.checkpoint_path, options.class_names)


def _numbers(flag: str, text: str | None) -> tuple[float, ...] | None:
    if text is None:
        return None
    try:
        red, green, blue = map(float, split_list(text))
    except ValueError as error:
        raise UserError(
            f"--{flag}={text}: expected three numbers, as in 0.485,0.456,0.406"
        ) from error
    return red, green, blue


if __name__ == "__main__":
    flags.define(TorchOptions)
    app.run(main, in_one_task=True)
