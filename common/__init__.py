"""What every room may use: whole files, order, text for people, progress."""
