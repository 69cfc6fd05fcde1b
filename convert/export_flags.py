"""The flags of `export_model`."""

from absl import flags

from convert import export_formats
from convert.export_formats import FORMATS
from convert.export_source import Wanted
from errors import UserError, nearest

FLAGS = flags.FLAGS
MAX_SAMPLES = 200  # images that calibrate int8


def define() -> None:
    """Defines the flags."""
    flags.DEFINE_string(
        "checkpoint_path",
        None,
        "What to export: a folder (its newest checkpoint), a checkpoint or its prefix.",
    )
    flags.DEFINE_string("output_dir", None, "Folder for the exports and labels.txt.")
    flags.DEFINE_list(
        "formats", ["saved_model"], f"What to write: a list of {', '.join(FORMATS)}."
    )
    flags.DEFINE_string(
        "check_images",
        None,
        "Photographs on which exports are compared with the checkpoint: a file, a"
        " folder or a pattern. By default generated images.",
    )
    flags.DEFINE_float(
        "max_difference",
        1e-4,
        "Largest difference of a probability from the checkpoint's that the check"
        " allows of float formats; tflite_float16, whose weights are rounded to 11"
        " bits, may need 1e-2.",
        lower_bound=0,
        upper_bound=1,
    )
    flags.DEFINE_string(
        "representative_dir",
        None,
        f"Folder of photographs that calibrate int8; {MAX_SAMPLES} are taken.",
    )
    flags.DEFINE_float(
        "moving_average_decay",
        None,
        "Any value but 0 exports the moving averages of the variables.",
    )
    _define_model_flags()
    _define_graph_flags()


def _define_model_flags() -> None:
    flags.DEFINE_string(
        "model_name",
        None,
        "The net. It and the next flags are read from model.json beside the checkpoint,"
        " where there is one; else the net is inception_v3.",
    )
    flags.DEFINE_integer(
        "image_size", None, "Side of the images in pixels.", lower_bound=1
    )
    flags.DEFINE_string("preprocessing_name", None, "Preprocessing of the images.")
    flags.DEFINE_bool("use_grayscale", None, "Turn images to one channel.")
    flags.DEFINE_integer(
        "labels_offset",
        None,
        "Subtracted from the number of classes: 1 for ImageNet's 1000-class weights.",
        lower_bound=0,
    )
    flags.DEFINE_string(
        "dataset_name",
        None,
        "Data set that says the classes where model.json does not, and that calibrates"
        " int8 without --representative_dir; by default model.json's, or imagenet.",
    )
    flags.DEFINE_string(
        "dataset_dir", None, "Folder of its TFRecords; imagenet's classes need none."
    )


def _define_graph_flags() -> None:
    flags.DEFINE_string(
        "output_file", None, "Where to write the inference graph, without weights."
    )
    flags.DEFINE_integer(
        "batch_size",
        None,
        "Images at once in graphs, ONNX and TFLite; by default any number, TFLite 1.",
        lower_bound=1,
    )
    flags.DEFINE_bool(
        "write_text_graphdef", False, "Write --output_file as text, not binary."
    )
    flags.DEFINE_bool(
        "is_training", False, "Only false: graphs for training are not exported."
    )


def wanted() -> Wanted:
    """What the flags say of the checkpoint."""
    return Wanted(
        model_name=FLAGS.model_name,
        image_size=FLAGS.image_size,
        preprocessing_name=FLAGS.preprocessing_name,
        use_grayscale=FLAGS.use_grayscale,
        labels_offset=FLAGS.labels_offset,
        dataset_name=FLAGS.dataset_name or "imagenet",
        dataset_dir=FLAGS.dataset_dir,
    )


def require_sense() -> None:
    """Refuses flags that do not go together, before anything takes time.

    Raises:
      UserError: a flag is wrong, or one is missing.
    """
    unknown = [name for name in FLAGS.formats if name not in FORMATS]
    if unknown or not FLAGS.formats:
        name = unknown[0] if unknown else ""
        raise UserError(
            f"--formats={name}: no such format{nearest(name, FORMATS)}; expected a list"
            f" of {', '.join(FORMATS)}"
        )
    if FLAGS.is_training:
        raise UserError(
            "--is_training=true: only inference is exported; leave the flag out"
        )
    if not FLAGS.output_dir and not FLAGS.output_file:
        raise UserError("no --output_dir: name the folder for the exports")
    if FLAGS.output_dir and not FLAGS.checkpoint_path:
        raise UserError("no --checkpoint_path: name the checkpoint to export")
    if not FLAGS.output_dir:
        return
    if "tflite_int8" in FLAGS.formats and not (
        FLAGS.representative_dir or FLAGS.dataset_dir
    ):
        raise UserError(
            "--formats=tflite_int8 needs images like those it will see: give"
            " --representative_dir, or --dataset_name and --dataset_dir"
        )
    if "onnx" in FLAGS.formats:
        export_formats.require_onnx()
