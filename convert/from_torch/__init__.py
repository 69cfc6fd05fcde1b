"""PyTorch state dictionaries as a source of weights."""
