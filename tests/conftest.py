"""The suite behaves the same however it was started."""

import signal

from absl import logging
from hypothesis import settings

# The same examples every time; --hypothesis-profile=default draws new ones.
settings.register_profile("repeatable", derandomize=True)
settings.load_profile("repeatable")


def pytest_configure() -> None:
    """Ctrl-C ends it, and the log tells what it tells a user."""
    # A job in the background ignores Ctrl-C, and so would all that it starts.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    # As `config.app.run` has it, whichever test comes first in a process.
    logging.set_verbosity(logging.INFO)
