"""Photos in batches, and what a prediction says of each."""
