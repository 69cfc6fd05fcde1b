"""NASNet-A and PNASNet-5, whose cells were found by search."""
