"""A network on a split: predictions, figures, how far they can be trusted."""
