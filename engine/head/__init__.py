"""Linear classifiers, and the head of a net solved as one."""
