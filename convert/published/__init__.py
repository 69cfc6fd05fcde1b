"""Published weights: where they are, and those that are already on this machine."""
