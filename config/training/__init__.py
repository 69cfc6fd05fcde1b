"""The flags of training, a file for each topic; `TrainConfig` puts them together."""
