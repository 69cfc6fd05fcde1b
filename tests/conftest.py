"""The suite behaves the same however it was started."""

import signal


def pytest_configure() -> None:
    """A job in the background ignores Ctrl-C, and so would all that it starts."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
