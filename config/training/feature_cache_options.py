"""The cache of features that the frozen part of a net computes."""

import dataclasses

from config.options import Options, option


@dataclasses.dataclass(frozen=True)
class FeatureCacheOptions(Options):
    """Feature cache."""

    feature_cache: str = option(
        "off",
        "Compute the frozen part of the net once per image and keep the result: off,"
        " memory or disk (not a slim flag).",
        choices=("off", "memory", "disk"),
    )
    feature_cache_dir: str | None = option(
        None,
        "Folder of --feature_cache=disk, shared by all runs with the same frozen part"
        " and data; by default <dataset_dir>/feature_cache (not a slim flag).",
    )
    feature_cache_views: int | None = option(
        None,
        "Number of versions of each image, used by the epochs in turn: 1 is"
        " evaluation preprocessing, more are augmented. By default 1 with a feature"
        " cache, and a new augmentation in every epoch without one (not a slim flag).",
        minimum=1,
    )
    feature_cache_dtype: str = option(
        "float32",
        "Dtype of the cached features: float32, or bfloat16 at half the size (not a"
        " slim flag).",
        choices=("float32", "bfloat16"),
    )
