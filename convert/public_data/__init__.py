"""Public data sets: fetched, and read as labelled images."""
