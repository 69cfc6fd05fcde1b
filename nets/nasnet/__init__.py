"""NASNet-A and PNASNet-5: networks whose cells were found by search."""
