"""The depths of a net, the features at each, and what they are worth."""
