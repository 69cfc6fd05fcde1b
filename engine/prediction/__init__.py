"""Photos in batches through a net, and what is printed and written of each."""
