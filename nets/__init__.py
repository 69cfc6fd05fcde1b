"""Nets: images in, logits and end points out.

Functions, arguments and defaults are slim's, so that code written for slim runs; what no
command uses is part of its public API, which docs/differences.md lists.
"""
