"""`train_batches` of examples of their own, for tests."""

from datasets import input_pipeline


def training_batches(
    dataset, preprocess_fn, *, seed, labels_offset=0, num_readers=4, **options
):
    """Batches whose order and augmentation have the same seed."""
    examples = input_pipeline.TrainExamples(
        dataset,
        preprocess_fn,
        seed=seed,
        labels_offset=labels_offset,
        num_readers=num_readers,
    )
    return input_pipeline.train_batches(examples, seed=seed, **options)
