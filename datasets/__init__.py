"""Data sets: where their records are, what they hold, how they are read."""
