"""TFRecord files: counted, checked, read in order."""
