"""TFRecord files that appear as a whole, written by several processes."""
