"""JSON objects, one a line, over a socket."""

import contextlib
import json
import select
import socket
from collections.abc import Mapping
from typing import Any

from errors import PeerError, UserError

_MOST_BYTES = 1 << 20  # of a line: what is longer is none of ours

Message = Mapping[str, Any]


def told(error: UserError) -> Message:
    """The message that says to another task what all end with."""
    return {"error": str(error), "status": error.exit_status}


def raise_error_of(message: Message) -> None:
    """Raises the error that a message says, if it says one."""
    if "error" in message:
        is_of_peer = message["status"] == PeerError.exit_status
        raise (PeerError if is_of_peer else UserError)(message["error"])


class Lines:
    """One end of a connection between two tasks."""

    def __init__(self, connected: socket.socket) -> None:
        """Takes over a connected socket."""
        self.socket = connected
        self._received = b""

    def send(self, message: Message) -> bool:
        """Sends a message; whether the other side still takes it."""
        try:
            self.socket.sendall(json.dumps(message).encode() + b"\n")
        except OSError:
            return False
        return True

    def receive(self) -> Message | None:
        """The next message; None where the other side is gone, or is none of ours.

        Raises:
          TimeoutError: nothing came within the socket's timeout.
        """
        try:
            while b"\n" not in self._received:
                chunk = self.socket.recv(1 << 16)
                if not chunk or len(self._received) > _MOST_BYTES:
                    return None
                self._received += chunk
            line, _, self._received = self._received.partition(b"\n")
            message = json.loads(line)
        except TimeoutError:
            raise
        except (OSError, ValueError):
            return None
        return message if isinstance(message, dict) else None

    def is_open(self) -> bool:
        """Whether the other side is still there, as far as this machine knows."""
        poll = select.poll()
        poll.register(self.socket, select.POLLIN)
        if not poll.poll(0):
            return True
        try:
            return self.socket.recv(1, socket.MSG_PEEK) != b""
        except OSError:
            return False

    def notice_within(self, secs: float) -> None:
        """Lets the system end the connection when the other side's machine is gone."""
        between = max(1, int(secs / 4))
        for name, value in (
            ("SO_KEEPALIVE", 1),
            ("TCP_KEEPIDLE", between),
            ("TCP_KEEPINTVL", between),
            ("TCP_KEEPCNT", 3),
            ("TCP_USER_TIMEOUT", int(secs * 1000)),
        ):
            level = socket.SOL_SOCKET if name[0] == "S" else socket.IPPROTO_TCP
            if hasattr(socket, name):  # macOS lacks some of them
                self.socket.setsockopt(level, getattr(socket, name), value)

    def close(self) -> None:
        """Ends the connection for both sides, also where a thread waits for it."""
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()
