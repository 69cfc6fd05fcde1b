"""Names and arrays: checkpoints in slim's format, scopes, and what is restored."""
