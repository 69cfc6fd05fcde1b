"""Networks on batches: training, evaluation, and what they report."""
