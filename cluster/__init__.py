"""Which machines run a command together, and their meeting; without TensorFlow."""
