"""The flags of `export_model`: of this project's exports, and of slim's."""

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
        "What to export: a folder (its newest checkpoint), a checkpoint or its prefix.",
    )
    output_dir: str | None = option(None, "Folder for the exports and labels.txt.")
    formats: str = option(
        "saved_model", f"What to write: a list of {', '.join(FORMATS)}."
    )
    check_images: str | None = option(
        None,
        "Photographs on which exports are compared with the checkpoint: a file, a"
        " folder or a pattern. By default generated images.",
    )
    max_difference: float = option(
        1e-4,
        "Largest difference of a probability from the checkpoint's that the check"
        " allows. tflite_float16 is held to it against the checkpoint with rounded"
        f" weights, and to {FORMATS['tflite_float16'].limit} against the checkpoint; of"
        " tflite_int8 the difference is only reported.",
        minimum=0,
        maximum=1,
    )
    representative_dir: str | None = option(
        None,
        f"Folder of photographs that calibrate int8; {MAX_SAMPLES} are taken. By"
        " default those of --dataset_dir do.",
    )
    tflite_int8_io: str = option(
        "int8",
        "Type of the images and probabilities of tflite_int8; uint8 and int8 are"
        " numbers that the file's scale and zero point turn into values (slim: none).",
        choices=INT8_IO,
    )
    moving_average_decay: float | None = option(
        None, "Any value but 0 exports the moving averages of the variables."
    )
    batch_size: int | None = option(
        None,
        "Images at once in graphs, ONNX and TFLite; by default any number, TFLite 1.",
        minimum=1,
    )


@dataclasses.dataclass(frozen=True)
class GraphOptions(Options):
    """slim's inference graph."""

    output_file: str | None = option(
        None, "Where to write the inference graph, without weights."
    )
    write_text_graphdef: bool = option(
        False, "Write --output_file as text, not binary."
    )
    is_training: bool = option(
        False, "Only false: graphs for training are not exported."
    )
    is_video_model: bool = option(False, "Only false: there are no nets for video.")
    num_frames: int | None = option(None, "Of video; refused.")


@dataclasses.dataclass(frozen=True)
class ExportConfig:
    """All options of `export_model`."""

    export: ExportOptions
    net: NetOptions
    graph: GraphOptions

    def __post_init__(self) -> None:
        """Refuses flags that do not go together, before anything takes time."""
        export = self.export
        if self.graph.is_training:
            raise UserError(
                "--is_training=true: only inference is exported; leave the flag out"
            )
        if self.graph.is_video_model or self.graph.num_frames is not None:
            raise UserError(
                "--is_video_model and --num_frames are refused: slim's nets for video"
                " (i3d, s3dg) are not here; leave the flags out"
            )
        if not export.output_dir and not self.graph.output_file:
            raise UserError("no --output_dir: name the folder for the exports")
        if export.output_dir and not export.checkpoint_path:
            raise UserError("no --checkpoint_path: name the checkpoint to export")
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
                "--formats=tflite_int8 needs images like those it will see: give"
                " --representative_dir, or --dataset_name and --dataset_dir"
            )
        if "onnx" in self.formats:
            formats.require_onnx()

    @property
    def formats(self) -> list[str]:
        """Each format once, in the order given."""
        return list(dict.fromkeys(split_list(self.export.formats)))
