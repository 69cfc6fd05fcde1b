"""What every room may use: atomic files, ordering, text for people, progress."""
