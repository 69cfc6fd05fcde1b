"""Head-only training steps with the feature cache against those without it.

python -m benchmarks.cached_step
"""

import functools
import pathlib
from collections.abc import Iterator

from benchmarks import measuring
from benchmarks.measuring import Contestant, Measure, Scale

_STEPS_PER_CALL = 50  # of the cached run: about a second, as the train loop chooses


def tables(folder: pathlib.Path, scale: Scale) -> Iterator[str]:
    """Images a second of training the last layer alone, and with the auxiliary head."""
    from benchmarks import ours
    from nets import nets_factory

    folder = ours.make_data(folder, scale)
    heads = nets_factory.get_entry(scale.model_name).head_scopes
    for scopes in dict.fromkeys((heads[0], ",".join(heads))):
        prepare = functools.partial(_prepare, folder, scale, scopes)
        contestants = [
            Contestant("cached", functools.partial(prepare, is_cached=True)),
            Contestant("whole net", functools.partial(prepare, is_cached=False)),
        ]
        title = f"training step of {scale.model_name}, trained: {scopes}"
        figures = measuring.race(contestants, scale)
        yield measuring.table(title, figures, "images/s", ours="cached")


def _prepare(
    folder: pathlib.Path, scale: Scale, scopes: str, *, is_cached: bool
) -> Measure:
    from benchmarks import ours

    return ours.prepare_training(
        folder,
        scale,
        images_in_memory=not is_cached,
        steps_per_call=_STEPS_PER_CALL if is_cached else 1,
        trainable_scopes=scopes,
        feature_cache="memory" if is_cached else "off",
    )


if __name__ == "__main__":
    measuring.run(tables)
