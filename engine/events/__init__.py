"""Reading TensorBoard's event files."""
