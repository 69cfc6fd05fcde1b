"""What the examples are: where they lie, what they hold, how they are read."""
