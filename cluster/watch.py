"""After the meeting: who is gone, and what they said before they went.

TensorFlow's error names the neighbor that a sum was waiting for, or nobody. Here the
chief learns from its connections who it was, and tells all others; a task that ends
with an error of its own says so first.
"""

import dataclasses
import os
import selectors
import sys
import threading

from cluster.meeting import Met
from errors import PeerError, UserError

_CONTINUES = (
    "the same command, started on all machines, continues from the last checkpoint"
)
# After the news of a loss, for this process to notice it and to end by itself.
_SECS_TO_END = 1.0


@dataclasses.dataclass(frozen=True)
class News:
    """A task that ended.

    Attributes:
      rank: its number.
      error: what it said it ended with; "" where it said nothing.
      status: its exit status, as far as it said.
    """

    rank: int
    error: str = ""
    status: int = PeerError.exit_status


class Watch:
    """Listens to the other tasks in a thread until closed."""

    def __init__(self, met: Met, heartbeat_secs: float) -> None:
        """Starts to listen.

        Args:
          met: the tasks.
          heartbeat_secs: how soon a machine that vanished from the network is noticed.
        """
        self._met = met
        self._news: News | None = None
        self._has_news = threading.Event()
        self._is_done = threading.Event()
        self._left: set[int] = set()
        self._selector = selectors.DefaultSelector()
        for rank, line in met.lines.items():
            line.socket.settimeout(heartbeat_secs)
            line.notice_within(heartbeat_secs)
            self._selector.register(line.socket, selectors.EVENT_READ, rank)
        threading.Thread(target=self._listen, name="watch", daemon=True).start()

    def _listen(self) -> None:
        while self._selector.get_map():
            for key, _ in self._selector.select():
                self._hear(key.data)

    def _hear(self, rank: int) -> None:
        try:
            message = self._met.lines[rank].receive()
        except TimeoutError:
            message = None
        if message is None:
            self._selector.unregister(self._met.lines[rank].socket)
            if rank not in self._left:
                self._note(News(rank))
            return
        sender = int(message.get("rank", rank))
        if message.get("ends_well"):
            self._left.add(sender)
            return
        self._note(News(sender, str(message["error"]), int(message["status"])))

    def _note(self, news: News) -> None:
        """Keeps the first news and hands it on; the process must end soon after."""
        self._left.add(news.rank)
        if self._news or self._is_done.is_set():
            return
        self._news = news
        if self._met.rank == 0:
            for rank, line in self._met.lines.items():
                if rank != news.rank:
                    line.send(dataclasses.asdict(news))
        self._has_news.set()
        threading.Thread(target=self._insist, name="insist", daemon=True).start()

    def _insist(self) -> None:
        """Ends a process that hangs in TensorFlow although a task is gone.

        A sum that began after the other process ended would wait for it until
        TensorFlow misses its heartbeats.
        """
        if not self._is_done.wait(_SECS_TO_END):
            error = self.news_within(0)
            print(f"error: {error}", file=sys.stderr, flush=True)
            os._exit(error.exit_status if error else PeerError.exit_status)

    def news_within(self, secs: float) -> UserError | None:
        """What to end with because another task has ended; None where none has.

        Args:
          secs: how long to wait for the news.
        """
        if not self._has_news.wait(secs) or self._news is None:
            return None
        news = self._news
        if not news.error:
            return self.lost(news.rank)
        error = UserError(f"machine {self._met.names[news.rank]} ended: {news.error}")
        error.exit_status = news.status
        return error

    def lost(self, rank: int) -> PeerError:
        """What to end with because a task is gone."""
        return PeerError(f"machine {self._met.names[rank]} is gone: {_CONTINUES}")

    def close(self, error: UserError | None = None) -> None:
        """Tells the others that this task ends.

        Args:
          error: what this task ends with; None where all end well.
        """
        self._is_done.set()
        farewell = {"rank": self._met.rank, "ends_well": True}
        if error:
            news = News(self._met.rank, str(error), error.exit_status)
            farewell = dataclasses.asdict(news)
        if not self._has_news.is_set():  # else the others know
            for line in self._met.lines.values():
                line.send(farewell)
        for line in self._met.lines.values():
            line.close()
