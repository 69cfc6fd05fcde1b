"""The options of `predict_images.py`."""

import dataclasses

from config.options import Options, option, split_list
from config.share_options import ShareOptions
from config.shared_options import check_tta, parse_hidden_units
from errors import UserError


@dataclasses.dataclass(frozen=True)
class NetOptions(Options):
    """Net of the checkpoint, where there is no model.json."""

    model_name: str | None = option(
        None, "Network; by default model.json's, or inception_v3."
    )
    image_size: int | None = option(
        None, "Side of the images in pixels; by default model.json's.", minimum=1
    )
    preprocessing_name: str | None = option(
        None, "Preprocessing of the images; by default model.json's, or the net's."
    )
    use_grayscale: bool | None = option(None, "Convert images to one channel.")
    labels_offset: int | None = option(
        None,
        "Number of the data set's first classes that the net lacks: 1 for ImageNet's"
        " 1000-class weights. By default derived from the checkpoint's number of"
        " classes.",
        minimum=0,
    )
    dataset_name: str | None = option(
        None, "Data set of the classes; by default model.json's, or imagenet."
    )
    dataset_dir: str | None = option(
        None, "Folder of its TFRecords; imagenet's classes need none."
    )
    final_endpoint: str | None = option(
        None, "End point at which the network ends; by default model.json's."
    )
    head_hidden_units: str | None = option(
        None,
        "Sizes of the relu layers before the logits, as in 1024,256; by default"
        " model.json's.",
    )

    def __post_init__(self) -> None:
        """Checks the sizes, too."""
        super().__post_init__()
        parse_hidden_units(self.head_hidden_units)


@dataclasses.dataclass(frozen=True)
class PredictOptions(Options):
    """Prediction."""

    checkpoint_path: str | None = option(
        None,
        "Checkpoint to predict with: a file, its prefix or a folder (its newest"
        " checkpoint); V1 or V2 format. The probabilities of a comma-separated list are"
        " averaged. Required.",
    )
    moving_average_decay: float | None = option(
        None,
        "Any value but 0 uses the moving averages of the variables, saved as"
        " <variable>/ExponentialMovingAverage.",
    )
    top_k: int | None = option(
        None,
        "Number of classes per photo. By default 5 in csv and jsonl, and one line per"
        " photo in the table, with its class and the runner-up.",
        minimum=1,
    )
    tta: str | None = option(
        None,
        "Average over views of each photo: flip (itself and its mirror image), ten_crop"
        " (corners and center, each also mirrored), or flip,ten_crop (all twelve).",
    )
    output: str = option(
        "classes",
        "What to write: classes (the most likely ones) or features of the net.",
    )
    end_point: str | None = option(
        None,
        "Comma-separated end points of the net, for --output=features; a wrong name"
        " lists them.",
    )
    pool: bool = option(
        False,
        "Write the mean over height and width of each end point, for"
        " --output=features.",
    )
    format: str = option(
        "table",
        "Output format of the classes: table, csv, or jsonl (one JSON object per"
        " photo).",
        choices=("table", "csv", "jsonl"),
    )
    output_file: str | None = option(
        None,
        "File to write; by default the terminal. Required for features: a NumPy archive"
        " (.npz) with the photos' names, one array per end point, and labels if every"
        " photo is in a subfolder of a given folder.",
    )
    batch_size: int = option(32, "Batch size.", minimum=1)
    bits: int | None = option(
        None,
        "Bit depth of 16- and 32-bit files that do not state it, such as microscope"
        " images: 8, 10, 12, 14 or 16. By default that of the data set, from"
        " model.json, or 16 where a photo needs it; anything else is an error.",
        minimum=8,
        maximum=16,
    )
    num_preprocessing_threads: int = option(
        4, "Number of photos decoded and preprocessed in parallel.", minimum=1
    )

    def __post_init__(self) -> None:
        """Checks what is to be written, too."""
        super().__post_init__()
        if self.output not in ("classes", "features"):
            raise UserError(
                f"--output={self.output}: expected classes or features;"
                f" --output_file={self.output} writes to that file"
            )


@dataclasses.dataclass(frozen=True)
class PredictConfig:
    """All options of `predict_images.py`."""

    predict: PredictOptions
    net: NetOptions
    share: ShareOptions = dataclasses.field(default_factory=ShareOptions)

    def __post_init__(self) -> None:
        """Checks what depends on several options."""
        predict = self.predict
        if not predict.checkpoint_path:
            raise UserError(
                "--checkpoint_path is missing: name a run's folder or a checkpoint, or"
                " several, separated by commas"
            )
        check_tta(predict.tta)
        if predict.output == "features":
            self._check_features()
        elif predict.end_point:
            raise UserError("--end_point needs --output=features: add it")
        elif predict.pool:
            raise UserError("--pool needs --output=features: add it")

    def _check_features(self) -> None:
        predict = self.predict
        file = predict.output_file or ""
        if not file.endswith(".npz"):
            raise UserError(
                f"--output_file={file}: features are written to a NumPy archive; give a"
                " file name that ends in .npz"
            )
        if predict.tta or len(split_list(predict.checkpoint_path)) > 1:
            raise UserError(
                "--output=features takes one checkpoint and a single view of each"
                " photo: omit --tta and further checkpoints"
            )
        of_classes = {"top_k": predict.top_k, "format": predict.format}
        for name, value in of_classes.items():
            if value not in (None, "table"):
                raise UserError(
                    f"--{name}={value} has no effect with --output=features, only with"
                    " classes: omit one of them"
                )
