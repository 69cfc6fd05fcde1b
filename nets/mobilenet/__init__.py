"""MobileNet v2 and v3: their blocks, their tables, and what builds nets from them."""
