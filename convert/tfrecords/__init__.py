"""TFRecord files that appear whole, written by several processes."""
