"""What runs have come to, side by side."""
