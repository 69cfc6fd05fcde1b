"""A run on several machines in step: joining them, their sums, and losing one."""
