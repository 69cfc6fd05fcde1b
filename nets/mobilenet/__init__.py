"""MobileNet v2 and v3: blocks, the reader of their tables, and the tables."""
