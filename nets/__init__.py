"""Nets: images in, logits and end points out.

Functions, arguments and defaults are slim's, so that code written for slim runs. What
no command uses is part of slim's public API; docs/differences.md lists it.
"""
