"""The tasks that run a command together; `cluster.launchers` finds them."""

import dataclasses

from errors import UserError

ONE_MACHINE = "one machine"
_MOST_PORT = 65535


@dataclasses.dataclass(frozen=True)
class Cluster:
    """The tasks that run a command together, this one among them.

    Attributes:
      rank: this task's number, from 0; task 0 is the chief, which alone writes.
      size: number of tasks.
      chief: "host:port" where the tasks meet; "" for a single task.
      addresses: "host:port" of each task by rank, where the environment states them.
      hosts: the machine of each task by rank, where the environment states them.
      tasks_per_machine: the number of tasks of this machine, as far as the environment
        says.
      source: what said so, for instance "SLURM job 77".
    """

    rank: int = 0
    size: int = 1
    chief: str = ""
    addresses: tuple[str, ...] | None = None
    hosts: tuple[str, ...] | None = None
    tasks_per_machine: int = 1
    source: str = ONE_MACHINE

    @property
    def is_chief(self) -> bool:
        """Whether this task writes the files."""
        return self.rank == 0

    @property
    def is_alone(self) -> bool:
        """Whether there is no other task."""
        return self.size == 1

    def name(self, rank: int) -> str:
        """What messages call a task: its number and, where known, its machine."""
        known = self.addresses or self.hosts
        where = known[rank] if known else self.chief if rank == 0 else ""
        return f"{rank} ({where})" if where else f"{rank}"

    def require_one_per_machine(self) -> None:
        """Raises `UserError` where several tasks would share one machine's devices."""
        if self.tasks_per_machine > 1:
            raise UserError(
                f"{self.source} starts {self.tasks_per_machine} tasks on one machine:"
                " start one task per machine (--ntasks-per-node=1), and train on all of"
                " its devices with --num_clones"
            )

    def require_alone(self, command: str) -> None:
        """Refuses a command that would do the same work in every task.

        Args:
          command: what runs on one machine only, with the verb, as in "fine_tune.py
            runs".

        Raises:
          UserError: there are several tasks.
        """
        if not self.is_alone:
            raise UserError(
                f"{command} on one machine only, and this is task {self.rank} of"
                f" {self.size} ({self.source}): start it once, as with srun --ntasks=1"
            )

    def __str__(self) -> str:
        if self.is_alone:
            return self.source
        return (
            f"{self.size} machines ({self.source}), this is {self.name(self.rank)} of"
            f" 0–{self.size - 1}, chief {self.chief}"
        )


ALONE = Cluster()


def address_of(host: str, port: int) -> str:
    """The "host:port" of a host, "[IPv6]:port" of such an address."""
    host = host.strip("[]")
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def host_and_port(address: str) -> tuple[str, int]:
    """The two parts of "host:port" or "[IPv6]:port".

    Raises:
      UserError: it has no port, or none that can be.
    """
    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal() or not 1 <= int(port) <= _MOST_PORT:
        raise UserError(
            f"{address!r} is not an address: expected host:port, with a port of 1 to"
            f" {_MOST_PORT}"
        )
    return host.strip("[]"), int(port)
