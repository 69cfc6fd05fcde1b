"""The frozen part of a net, computed once, and training on its output."""
