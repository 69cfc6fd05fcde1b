"""A headless Chromium, driven by the few commands that these tests need.

Debian's chromedriver speaks W3C's WebDriver protocol, JSON over HTTP
(https://www.w3.org/TR/webdriver2/): a session is one browser with an empty profile.
"""

import base64
import contextlib
import json
import pathlib
import re
import shutil
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

from errors import UserError

T = TypeVar("T")

_TIMEOUT_SECS = 120
_DRIVER_PORT = re.compile(r"started successfully on port (\d+)")
_FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--window-size=1600,1400",
)
# What listens on this machine is not asked through a proxy.
_LOCAL = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class Browser:
    """One browser window."""

    def __init__(self, session: str) -> None:
        """Takes over a window.

        Args:
          session: its address at the driver.
        """
        self._session = session

    def open(self, url: str) -> None:
        """Loads a page."""
        ask(f"{self._session}/url", {"url": url})

    def resize(self, width: int, height: int) -> None:
        """Makes the page so many CSS pixels wide and high, as on such a device."""
        sizes = {"width": width, "height": height}
        metrics = {**sizes, "deviceScaleFactor": 1, "mobile": width < 600}
        command = {"cmd": "Emulation.setDeviceMetricsOverride", "params": metrics}
        ask(f"{self._session}/goog/cdp/execute", command)

    def run(self, script: str, *arguments: str) -> Any:
        """Returns what a function body in JavaScript returns for the arguments."""
        return ask(
            f"{self._session}/execute/sync", {"script": script, "args": arguments}
        )["value"]

    def screenshot(self, path: pathlib.Path) -> None:
        """Writes what the window shows as PNG."""
        shot = ask(f"{self._session}/screenshot")["value"]
        path.write_bytes(base64.b64decode(shot))


@contextlib.contextmanager
def chromium() -> Iterator[Browser]:
    """Runs a headless Chromium with a new, empty profile.

    Raises:
      UserError: it is not installed, or does not start.
    """
    browser, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if browser is None or driver is None:
        raise UserError(
            "no chromium or no chromedriver: install both (on Debian: apt-get install "
            "chromium chromium-driver)."
        )
    with (
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile,
        serving([driver, "--port=0"], _DRIVER_PORT) as port,
    ):
        arguments = [*_FLAGS, f"--user-data-dir={profile}"]
        options = {"binary": browser, "args": arguments}
        wanted = {"alwaysMatch": {"goog:chromeOptions": options}}
        sessions = f"http://127.0.0.1:{port}/session"
        session = f"{sessions}/{_new_session(sessions, wanted)}"
        try:
            yield Browser(session)
        finally:
            ask(session, method="DELETE")


def _new_session(sessions: str, wanted: dict[str, Any]) -> str:
    return ask(sessions, {"capabilities": wanted})["value"]["sessionId"]


@contextlib.contextmanager
def serving(command: Sequence[str], started: re.Pattern[str]) -> Iterator[str]:
    """Runs a server; gives what it says of its address.

    Args:
      command: what to run.
      started: what the server prints when it listens; the first group is given.

    Raises:
      UserError: it ended, or did not say so in time.
    """
    with tempfile.TemporaryDirectory() as folder:
        log = pathlib.Path(folder, "log")
        with log.open("w") as stream:
            server = subprocess.Popen(command, stdout=stream, stderr=stream)

        def has_started(said: str) -> bool:
            return bool(started.search(said)) or server.poll() is not None

        try:
            said = wait(log.read_text, has_started)
            address = started.search(said)
            if address is None:
                raise UserError(f"{command} did not start: {said.strip()[-300:]}")
            yield address.group(1)
        finally:
            server.terminate()
            server.wait()


def ask(url: str, body: dict[str, Any] | None = None, method: str | None = None) -> Any:
    """Returns the JSON that a server of this machine answers.

    Args:
      url: the question's address.
      body: sent as JSON if given.
      method: of HTTP; by default POST with a body and GET without.

    Raises:
      UserError: the server answers with an error.
    """
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, method=method)
    try:
        with _LOCAL.open(request, timeout=_TIMEOUT_SECS) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as error:
        said = error.read().decode(errors="replace")[:300]
        raise UserError(f"{url} answers {error.code}: {said}") from error


def wait(get: Callable[[], T], accept: Callable[[T], bool]) -> T:
    """Returns the first accepted answer, or the last one before time ran out."""
    end = time.monotonic() + _TIMEOUT_SECS
    answer = get()
    while not accept(answer) and time.monotonic() < end:
        time.sleep(0.5)
        answer = get()
    return answer
