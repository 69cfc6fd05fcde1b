"""The tasks of a command meet before TensorFlow is asked to connect them.

TensorFlow waits for a missing task without a word and without an end, and does not
notice that two tasks have different flags. Here all connect to the chief and say who
they are and what must be the same for all; the chief answers with the list of all, or
with what is wrong. The connections stay open for `cluster.watch`.
"""

import contextlib
import dataclasses
import errno
import socket
import time
from collections.abc import Iterator, Mapping, Sequence

from absl import logging

from cluster.cluster import Cluster, address_of, host_and_port
from cluster.lines import Lines, Message, raise_error_of, told
from common.untrusted_text import first_few
from errors import PeerError, UserError

_GREETING = "slim-image-classifier 1"
_SECS_TO_GREET = 2.0  # for the first line of a connection
_SECS_BETWEEN_TRIES = 0.1
_SECS_UNTIL_TOLD = 10.0  # a longer wait is explained
# The chief gives up later than a task that came first, and then says who is missing.
_SECS_FOR_ANSWER = 5.0
_MOST_NAMED = 5
_SAME_COMMAND = "start the same command on every machine"


@dataclasses.dataclass(frozen=True)
class Met:
    """All tasks of a command, after they met.

    Attributes:
      rank: the rank of this one.
      names: the names of all by rank, for messages.
      addresses: "host:port" of all by rank, where TensorFlow is to listen.
      lines: the connections by rank: the chief's to all others, the others' to the
        chief, 0.
    """

    rank: int
    names: tuple[str, ...]
    addresses: tuple[str, ...]
    lines: Mapping[int, Lines]


def meet(
    cluster: Cluster,
    facts: Mapping[str, str],
    *,
    wait_secs: float,
    remedies: Mapping[str, str] | None = None,
    fault: UserError | None = None,
) -> Met:
    """Waits until all tasks are there, and have stated the same facts.

    Args:
      cluster: a cluster of several tasks.
      facts: what must be the same for all, by name.
      wait_secs: how long to wait.
      remedies: what to do where a fact differs, by name; by default to start the same
        command everywhere.
      fault: why this task cannot take part: it says so to all.

    Raises:
      PeerError: a task did not join.
      UserError: a fact differs, or a task cannot take part, as when its port is taken.
    """
    if not cluster.is_chief and cluster.addresses:
        fault = fault or _port_fault(cluster.addresses[cluster.rank])
    hello = {
        "greeting": _GREETING,
        "rank": cluster.rank,
        "host": socket.gethostname(),
        "facts": {"number of machines": str(cluster.size), **facts},
        "fault": str(fault) if fault else None,
    }
    if not cluster.is_chief:
        return _visit(cluster, hello, wait_secs)
    host, port = host_and_port(cluster.chief)
    own = _own_address(cluster, host)
    chief = _Chief(cluster, {**hello, "address": own}, wait_secs, remedies or {})
    return chief.receive_all(port)


def _own_address(cluster: Cluster, host: str) -> str:
    """Where TensorFlow is to listen: as stated, or at a free port of this host."""
    if cluster.addresses:
        return cluster.addresses[cluster.rank]
    with _server(0) as server:
        return address_of(host, server.getsockname()[1])


def _server(port: int) -> socket.socket:
    """Listens for IPv4 and, where this machine knows it, for IPv6."""
    if socket.has_dualstack_ipv6():
        family = socket.AF_INET6
        return socket.create_server(
            ("", port), family=family, backlog=512, dualstack_ipv6=True
        )
    return socket.create_server(("", port), backlog=512)


class _Chief:
    """The task that the others come to."""

    def __init__(
        self,
        cluster: Cluster,
        own: Message,
        wait_secs: float,
        remedies: Mapping[str, str],
    ) -> None:
        self._cluster = cluster
        self._wait_secs = wait_secs
        self._remedies = remedies
        self._hellos = {0: own}
        self._lines: dict[int, Lines] = {}
        self._fault: UserError | None = None

    def receive_all(self, port: int) -> Met:
        """Waits for all, and answers each with the list of all or what is wrong."""
        with _listening(port) as listener:
            ends_at = time.monotonic() + self._wait_secs
            tell_at = time.monotonic() + _SECS_UNTIL_TOLD
            while self._absent() and (left := ends_at - time.monotonic()) > 0:
                if time.monotonic() > tell_at:
                    tell_at = ends_at
                    absent = self._few_names(self._absent())
                    logging.info("cluster: waiting for %s", absent)
                listener.settimeout(min(left, 1.0))
                with contextlib.suppress(TimeoutError):
                    self._take(Lines(listener.accept()[0]))
        wrong = self._fault or self._stated_fault() or self._difference()
        if wrong := wrong or self._missing():
            self._tell(told(wrong))
            raise wrong
        size = self._cluster.size
        names = tuple(self._name(rank) for rank in range(size))
        addresses = tuple(self._hellos[rank]["address"] for rank in range(size))
        self._tell({"names": names, "addresses": addresses})
        return Met(0, names, addresses, self._lines)

    def _tell(self, answer: Message) -> None:
        for line in self._lines.values():
            line.send(answer)

    def _absent(self) -> list[int]:
        """Ranks of those who have not come, or have gone again; none after a fault."""
        if self._fault:
            return []
        others = range(1, self._cluster.size)
        return [
            r for r in others if r not in self._lines or not self._lines[r].is_open()
        ]

    def _take(self, line: Lines) -> None:
        """Takes in who has come; what does not greet as a task does is sent away."""
        line.socket.settimeout(_SECS_TO_GREET)
        try:
            hello = line.receive()
        except TimeoutError:
            hello = None
        if not hello or hello.get("greeting") != _GREETING:
            line.close()
            return
        rank = hello["rank"]
        if rank == 0 or (rank in self._lines and self._lines[rank].is_open()):
            hosts = self._hellos[rank]["host"], hello["host"]
            self._fault = UserError(
                f"two processes claim to be task {rank}, on {hosts[0]} and on"
                f" {hosts[1]}: stop what is left of an earlier start, and start each"
                " task once"
            )
            line.send(told(self._fault))
            return
        self._hellos[rank], self._lines[rank] = hello, line

    def _name(self, rank: int) -> str:
        if rank in self._hellos:
            return f"{rank} ({self._hellos[rank]['host']})"
        return self._cluster.name(rank)

    def _few_names(self, ranks: Sequence[int]) -> str:
        return first_few([self._name(rank) for rank in ranks], _MOST_NAMED)

    def _stated_fault(self) -> UserError | None:
        """Why the first of the tasks that cannot take part cannot."""
        for rank in sorted(self._hellos):
            if fault := self._hellos[rank].get("fault"):  # other releases say none
                return UserError(f"machine {self._name(rank)}: {fault}")
        return None

    def _difference(self) -> UserError | None:
        """The first fact that is not the same for all."""
        for rank in sorted(self._hellos):
            own, facts = self._hellos[0]["facts"], self._hellos[rank]["facts"]
            for fact in [*own, *(name for name in facts if name not in own)]:
                if own.get(fact) != facts.get(fact):
                    return UserError(
                        f"{fact} differs: {own.get(fact)} on {self._name(0)},"
                        f" {facts.get(fact)} on {self._name(rank)};"
                        f" {self._remedies.get(fact, _SAME_COMMAND)}"
                    )
        return None

    def _missing(self) -> UserError | None:
        if not (absent := self._absent()):
            return None
        return PeerError(
            f"{len(absent)} of {self._cluster.size} machines did not join within"
            f" {self._wait_secs:g} s: {self._few_names(absent)}; {_SAME_COMMAND}, or"
            " raise --cluster_wait_secs"
        )


@contextlib.contextmanager
def _listening(port: int) -> Iterator[socket.socket]:
    """Listens on a port, which is free for TensorFlow at once after."""
    try:
        listener = _server(port)
    except OSError as error:
        if error.errno not in (errno.EADDRINUSE, errno.EACCES):
            raise
        raise UserError(
            f"port {port} of {socket.gethostname()}, where others are to reach it,"
            f" cannot be opened ({error.strerror}): stop what uses it, or choose"
            " another one with --cluster_port (MASTER_PORT, TF_CONFIG)"
        ) from error
    with listener:
        yield listener


def _port_fault(address: str) -> UserError | None:
    """Why TensorFlow could not listen at this task's address."""
    try:
        with _listening(host_and_port(address)[1]):
            return None
    except UserError as error:
        return error


def _visit(cluster: Cluster, hello: Message, wait_secs: float) -> Met:
    """Goes to the chief, and gets its answer."""
    ends_at = time.monotonic() + wait_secs
    tell_at = time.monotonic() + _SECS_UNTIL_TOLD
    found = "nothing answers there"
    while (left := ends_at - time.monotonic()) > 0:
        if time.monotonic() > tell_at:
            tell_at = ends_at
            logging.info("cluster: waiting for the chief, %s: %s", cluster.chief, found)
        try:
            # The name is looked up anew each time: a pod's comes late.
            address = host_and_port(cluster.chief)
            connected = socket.create_connection(address, timeout=min(left, 2.0))
        except OSError as error:
            found = error.strerror or str(error)
            time.sleep(min(left, _SECS_BETWEEN_TRIES))
            continue
        answer = _answer(cluster, Lines(connected), hello, wait_secs)
        if answer is not None:
            return answer
        found = "what answers there is not the chief"
        time.sleep(min(left, _SECS_BETWEEN_TRIES))
    raise PeerError(
        f"the chief did not answer at {cluster.chief} within {wait_secs:g} s ({found}):"
        f" {_SAME_COMMAND}, see that this address can be reached from here and that its"
        " port is not taken, or raise --cluster_wait_secs"
    )


def _answer(
    cluster: Cluster, line: Lines, hello: Message, wait_secs: float
) -> Met | None:
    """The chief's answer on a new connection; None where it gives none."""
    own = _own_address(cluster, line.socket.getsockname()[0])
    line.socket.settimeout(wait_secs + _SECS_FOR_ANSWER)
    line.send({**hello, "address": own})
    try:
        answer = line.receive()
    except TimeoutError:
        answer = None
    if not answer or "addresses" not in answer:
        line.close()
        raise_error_of(answer or {})
        return None
    names, addresses = tuple(answer["names"]), tuple(answer["addresses"])
    return Met(cluster.rank, names, addresses, {0: line})
