"""How fast it is, beside its peers: one command a benchmark.

Modules import TensorFlow and the peers inside functions: the process of each contestant
starts with the command's module, and holds what it needs itself and no more.
"""
