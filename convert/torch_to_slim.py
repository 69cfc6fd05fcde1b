r"""Makes a slim checkpoint of a PyTorch state dictionary.

    python -m convert.torch_to_slim --state_dict=resnet18.safetensors \
        --checkpoint_path=checkpoints/resnet_v1_18/model.ckpt

The dictionary is that of a net of torchvision or timm, your own weights included; which
net it is, is seen from its names. Files of torch.save are read without PyTorch, and no
code in them is run. What PyTorch would compute is computed here in TensorFlow, and
compared with slim's net before anything is written.
"""

import script_start  # noqa: F401  (before all that takes time)

from absl import flags, logging

import common.quiet_tensorflow  # noqa: F401  (before others load it)
from config import app
from convert.from_torch import torch_source, torch_state
from convert.from_torch.torch_architectures import ARCHITECTURES
from convert.weights import weight_classes, weight_conversion
from errors import UserError

FLAGS = flags.FLAGS


def main() -> None:
    """Converts the state dictionary that the flags name."""
    mean, std = _numbers("mean"), _numbers("std")
    state = torch_source.without_prefix(
        torch_state.read(FLAGS.state_dict, FLAGS.state_dict_key)
    )
    architecture = torch_source.recognise(state, FLAGS.model_name)
    source = torch_source.source(
        state,
        architecture,
        mean=mean,
        std=std,
        preprocessing=FLAGS.preprocessing_name,
        is_published=torch_source.is_published(FLAGS.state_dict),
    )
    if source.has_classifier and not (FLAGS.class_names or source.is_published):
        logging.info(
            "The order of the classes is that of training: torchvision's ImageFolder"
            " sorts folders as text, timm by number and in lower case."
        )
    weight_conversion.convert(source, FLAGS.checkpoint_path, FLAGS.class_names)


def _numbers(flag: str) -> tuple[float, ...] | None:
    text = FLAGS[flag].value
    if text is None:
        return None
    try:
        red, green, blue = map(float, text)
    except ValueError as error:
        raise UserError(
            f"--{flag}={','.join(text)}: give three numbers, as in 0.485,0.456,0.406"
        ) from error
    return red, green, blue


def _define_flags() -> None:
    flags.DEFINE_string(
        "state_dict",
        None,
        "A .safetensors, .pth or .pt file with model.state_dict() of one of: "
        + ", ".join(architecture.name for architecture in ARCHITECTURES),
    )
    flags.DEFINE_string(
        "state_dict_key",
        None,
        "Which weights of a file with several, as in state_dict_ema or model.module."
        " Unset: those that are no moving average.",
    )
    flags.DEFINE_string(
        "model_name",
        None,
        "The net to convert it to, where there is a choice: inception_v3_torchvision "
        "computes as PyTorch does, inception_v3 as the TensorFlow did that the offered "
        "weights were trained with. Unset: inception_v3.",
    )
    flags.DEFINE_list(
        "mean",
        None,
        "What was subtracted from the pixels, which were in [0, 1]: three numbers, red "
        "first. Unset: 0.5,0.5,0.5 for the inceptions, 0.485,0.456,0.406 for all "
        "others, as the offered weights want it. The checkpoint takes what the "
        "net's own preprocessing in this package makes.",
    )
    flags.DEFINE_list(
        "std",
        None,
        "What the pixels were then divided by. Unset: 0.5,0.5,0.5 for the inceptions, "
        "0.229,0.224,0.225 for all others.",
    )
    flags.DEFINE_enum(
        "preprocessing_name",
        None,
        list(torch_source.NORMALISATIONS),
        "Preprocessing of this package whose pixels the checkpoint takes, then to be "
        "given in training, too. Unset: the net's own. One with the same mean and std "
        "changes nothing in the net: torchvision's for one that was trained on "
        "0.485,0.456,0.406 and 0.229,0.224,0.225. Else pixels at the border differ.",
    )
    flags.DEFINE_string(
        "checkpoint_path",
        None,
        "Where to write the checkpoint: a prefix such as folder/model.ckpt, to which "
        "TensorFlow's endings .index and .data-00000-of-00001 are added.",
    )
    weight_classes.define_flag()
    flags.mark_flags_as_required(["state_dict", "checkpoint_path"])


if __name__ == "__main__":
    _define_flags()
    app.run(main)
