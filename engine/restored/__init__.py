"""What a checkpoint is, and the classifier that it contains."""
