"""slim's deployment of a model, for your own training loops."""
