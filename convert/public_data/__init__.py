"""Public data sets: downloaded, and read as labeled images."""
