"""What the `inspect_…` commands find and show."""
