"""One image in, one image out: the registry, the recipes and their image ops."""
