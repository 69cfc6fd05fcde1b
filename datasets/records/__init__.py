"""TFRecord files: counted, checked, and read in order."""
