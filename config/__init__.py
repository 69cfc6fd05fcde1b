"""Flags, configuration records, and how a script starts and ends."""
