"""A network on a split: predictions, metrics, and how far to trust them."""
