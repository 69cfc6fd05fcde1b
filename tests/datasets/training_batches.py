"""`train_batches` with a loader of their own, for tests."""

from datasets import input_pipeline


def training_batches(dataset, preprocess_fn, *, seed, labels_offset=0, **options):
    """Batches whose order and augmentation have the same seed."""
    load = input_pipeline.train_loader(
        dataset, preprocess_fn, seed=seed, labels_offset=labels_offset
    )
    return input_pipeline.train_batches(dataset, load, seed=seed, **options)
