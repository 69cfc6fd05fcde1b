"""A Keras model from a file, or by its name in keras.applications."""

import keras

from convert.from_keras import model_files
from convert.from_keras.applications import APPLICATIONS
from errors import UserError, nearest


def load(
    model: str, weights_file: str | None = None
) -> tuple[keras.Model, str | None, bool]:
    """Loads a Keras model.

    Args:
      model: a `.keras` or `.h5` file with a whole model, or a key of `APPLICATIONS`.
      weights_file: the weights of a model given by name; None takes those that Keras
        offers for download.

    Returns:
      The model, the loss it was trained with or None, and whether its weights are
      those that Keras offers.

    Raises:
      UserError: there is no such file or name, or it cannot be read or downloaded.
    """
    if model.endswith(model_files.MODEL_FILES):
        if weights_file:
            raise UserError(
                "--weights_file is for a --keras_model given by name; the file"
                f" {model} has its own weights"
            )
        return *model_files.load(model), False
    if model not in APPLICATIONS:
        raise UserError(
            f"--keras_model={model}: no such net{nearest(model, APPLICATIONS)};"
            f" expected a .keras or .h5 file, or one of {', '.join(APPLICATIONS)}"
        )
    application = APPLICATIONS[model]
    build = getattr(keras.applications, application.function)
    try:
        built = build(
            weights=weights_file or "imagenet",
            classifier_activation=None,
            **application.options,
        )
    except Exception as error:  # urllib, h5py and Keras raise anything
        origin = weights_file or "the weights that Keras offers for download"
        raise UserError(
            f"--keras_model={model}: cannot load {origin}:"
            f" {model_files.plain_reason(error)}; give a file with them as"
            " --weights_file"
        ) from error
    return built, None, weights_file is None
