"""slim's deployment of a model, for training loops of one's own."""
