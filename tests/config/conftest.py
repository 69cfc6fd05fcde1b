"""Flags of our own, so that no other test's flags are in the way."""

import types

import pytest
from absl import flags as absl_flags

from config import flags


class CommandLine:
    """A script's flags: defined from a configuration record, given, and read."""

    def __init__(self, config):
        self.config = config
        self.values = absl_flags.FlagValues()

    def default(self, name):
        return self.values[name].default

    def read(self, *args):
        """The record that the arguments give."""
        self.values(["script", *args])
        return flags.read(self.config, self.values)


@pytest.fixture
def command_line(monkeypatch):
    """From `TrainConfig` or `EvalConfig` to its command line."""

    def define(config):
        line = CommandLine(config)
        monkeypatch.setattr(flags, "flags", types.SimpleNamespace(FLAGS=line.values))
        flags.define(config, line.values)
        return line

    return define
