"""The flags of `export_model`: for this project's exports, and slim's own."""

import dataclasses

from config.options import Options, option, split_list
from config.predict_config import NetOptions
from convert.exports import formats
from convert.exports.formats import FORMATS, INT8_IO
from errors import UserError, nearest

MAX_SAMPLES = 200  # images that calibrate int8


@dataclasses.dataclass(frozen=True)
class ExportOptions(Options):
    """Export."""

    checkpoint_path: str | None = option(
        None,
        "The checkpoint to export: a folder (its newest checkpoint), or a prefix (not a"
        " slim flag).",
    )
    output_dir: str | None = option(
        None, "Folder for the exports and labels.txt (not a slim flag)."
    )
    formats: str = option(
        "saved_model",
        f"What to write: a list of {', '.join(FORMATS)} (not a slim flag).",
    )
    check_images: str | None = option(
        None,
        "Photos on which exports are compared with the checkpoint: a file, a folder or"
        " a pattern. By default generated images (not a slim flag).",
    )
    max_difference: float = option(
        1e-4,
        "Largest difference of a probability from the checkpoint's that passes the"
        " check. For tflite_float16 it applies to the checkpoint with rounded weights,"
        f" and {FORMATS['tflite_float16'].limit} to the checkpoint itself; for"
        " tflite_int8 the difference is only reported (not a slim flag).",
        minimum=0,
        maximum=1,
    )
    representative_dir: str | None = option(
        None,
        f"Folder of photos that calibrate int8; {MAX_SAMPLES} are used. By default"
        " images of --dataset_dir (not a slim flag).",
    )
    tflite_int8_io: str = option(
        "int8",
        "Type of tflite_int8's images and probabilities: int8, uint8 or float32. The"
        " integers are converted by the file's scale and zero point (not a slim flag).",
        choices=INT8_IO,
    )
    moving_average_decay: float | None = option(
        None,
        "Any value but 0 exports the moving averages of the variables (not a slim"
        " flag).",
    )
    batch_size: int | None = option(
        None,
        "Batch size in graphs, ONNX and TFLite. By default any, and 1 in TFLite.",
        minimum=1,
    )


@dataclasses.dataclass(frozen=True)
class GraphOptions(Options):
    """slim's inference graph."""

    output_file: str | None = option(
        None, "File for the inference graph, without weights."
    )
    write_text_graphdef: bool = option(
        False, "Write --output_file as text instead of binary."
    )
    is_training: bool = option(
        False, "Must be false: graphs for training are not exported."
    )
    is_video_model: bool = option(False, "Must be false: there are no video nets here.")
    num_frames: int | None = option(None, "For video nets; refused.")


@dataclasses.dataclass(frozen=True)
class ExportConfig:
    """All options of `export_model`."""

    export: ExportOptions
    net: NetOptions
    graph: GraphOptions

    def __post_init__(self) -> None:
        """Refuses contradictory flags before anything slow starts."""
        export = self.export
        if self.graph.is_training:
            raise UserError(
                "--is_training=true: only inference graphs are exported; omit the flag"
            )
        if self.graph.is_video_model or self.graph.num_frames is not None:
            raise UserError(
                "--is_video_model and --num_frames are refused: slim's video nets (i3d,"
                " s3dg) are not supported; omit the flags"
            )
        if not export.output_dir and not self.graph.output_file:
            raise UserError("--output_dir is missing: the folder for the exports")
        if export.output_dir and not export.checkpoint_path:
            raise UserError("--checkpoint_path is missing: the checkpoint to export")
        if export.output_dir:
            self._check_formats()

    def _check_formats(self) -> None:
        for name in self.formats or ("",):
            if name not in FORMATS:
                raise UserError(
                    f"--formats={name}: no such format{nearest(name, FORMATS)};"
                    f" expected a list of {', '.join(FORMATS)}"
                )
        if "tflite_int8" in self.formats and not (
            self.export.representative_dir or self.net.dataset_dir
        ):
            raise UserError(
                "--formats=tflite_int8 needs images to calibrate with: give"
                " --representative_dir, or --dataset_name and --dataset_dir"
            )
        if "onnx" in self.formats:
            formats.require_onnx()

    @property
    def formats(self) -> list[str]:
        """Each format once, in the order given."""
        return list(dict.fromkeys(split_list(self.export.formats)))
