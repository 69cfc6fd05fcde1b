"""How fast it is, compared with its peers: one command per benchmark.

Modules import TensorFlow and the peers inside functions: the process of each contestant
starts with the command's module, and holds what it needs itself and no more.
"""
