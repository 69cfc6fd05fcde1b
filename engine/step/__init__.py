"""One training step: state, losses, optimizers, schedules."""
