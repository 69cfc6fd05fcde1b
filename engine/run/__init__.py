"""A training run around its steps: set-up, initial weights, saving, logging."""
