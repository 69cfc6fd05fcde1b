"""Flags, the options they set, and how a script starts and ends."""
