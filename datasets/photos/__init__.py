"""Photo files: found, recognized, and decoded as people see them."""
