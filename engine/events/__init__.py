"""TensorBoard's event files, read."""
