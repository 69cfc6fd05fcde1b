"""Linear classifiers, and solving a net's head as one."""
