"""Runs on several machines, played by processes of this one."""
