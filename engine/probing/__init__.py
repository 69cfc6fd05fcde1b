"""The depths of a net, the features at each, and how useful they are."""
