"""The formats that `export_model` writes, each loaded again and compared."""
