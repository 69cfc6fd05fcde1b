"""Which machines run a command together: found in the environment that they are in."""

import dataclasses
import json
from collections.abc import Mapping
from typing import Any

from cluster import slurm
from errors import UserError

ONE_MACHINE = "one machine"
_DEFAULT_PORT = 29400
# Jobs of TF_CONFIG, in the order in which their tasks are ranked.
_JOBS = ("chief", "master", "worker")


@dataclasses.dataclass(frozen=True)
class Cluster:
    """The tasks that run a command together, this one among them.

    Attributes:
      rank: this task's number, from 0; task 0 is the chief, which alone writes.
      size: number of tasks.
      chief: "host:port" where the tasks meet; "" for a single task.
      addresses: "host:port" of each task by rank, where the environment states them.
      hosts: the machine of each task by rank, where the environment states them.
      tasks_per_machine: of this machine, as far as the environment says.
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


def find_cluster(
    environment: Mapping[str, str],
    kind: str = "auto",
    *,
    port: int | None = None,
    evaluates: bool = False,
) -> Cluster:
    """The tasks that the environment speaks of.

    Args:
      environment: as `os.environ`. Read are `TF_CONFIG`, the variables of a SLURM job
        step, `RANK`, `WORLD_SIZE`, `MASTER_ADDR` and `MASTER_PORT` (torchrun,
        PyTorchJob), and `PET_NODE_RANK`, `PET_NNODES`, `PET_MASTER_ADDR` and
        `PET_MASTER_PORT` (Kubeflow Trainer), in this order.
      kind: of these only "tf_config", "slurm" or "env" (the last two sets); "auto" is
        the first that is there, and "off" none.
      port: the chief's, where the environment states none; None is 20000 + the job's
        number modulo 10000 with SLURM, else 29400.
      evaluates: whether the command is the one that evaluators run; such a task of
        `TF_CONFIG` works by itself.

    Raises:
      UserError: the variables contradict each other, some are missing, or `kind` is
        not there at all.
    """
    if kind == "off":
        return ALONE
    if kind in ("auto", "tf_config") and environment.get("TF_CONFIG"):
        return _from_tf_config(environment["TF_CONFIG"], evaluates)
    if kind in ("auto", "slurm") and "SLURM_STEP_NUM_TASKS" in environment:
        return _from_slurm(environment, port)
    if kind in ("auto", "env"):
        for names in (_TORCH, _KUBEFLOW):
            if environment.get(names.size):
                return _from_names(environment, names, port)
    if kind == "auto":
        return ALONE
    needed = {
        "tf_config": "TF_CONFIG is not set",
        "slurm": "this is no task that srun started (SLURM_STEP_NUM_TASKS is not set)",
        "env": f"neither {_TORCH.size} nor {_KUBEFLOW.size} is set",
    }
    raise UserError(f"--cluster={kind}, and {needed[kind]}: start the tasks with it")


def require_single_task(environment: Mapping[str, str], command: str) -> None:
    """Refuses to do the same in each of several tasks; see `Cluster.require_alone`."""
    find_cluster(environment).require_alone(command)


def lone_task_warning(environment: Mapping[str, str]) -> str | None:
    """What to tell a user whose SLURM script allocates tasks and starts one only."""
    allocated = environment.get("SLURM_NTASKS", "1")
    if "SLURM_STEP_NUM_TASKS" in environment or allocated == "1":
        return None
    return (
        f"SLURM allocated {allocated} tasks, and this command runs on one of them: to"
        " run on all, start it with srun"
    )


def _number(environment: Mapping[str, str], name: str, default: int = -1) -> int:
    """A variable that must be a whole number of 0 or more."""
    value = environment.get(name, str(default))
    if not value.isdecimal():
        found = f"is {value!r}" if name in environment else "is not set"
        raise UserError(
            f"{name} {found}: expected a whole number, as what starts several tasks"
            " sets it; --cluster=off trains on this machine alone"
        )
    return int(value)


def _require_rank(rank: int, size: int, names: str) -> None:
    if not rank < size:
        raise UserError(f"{names}: task {rank} is none of 0–{size - 1}")


def _from_tf_config(text: str, evaluates: bool) -> Cluster:
    try:
        config: dict[str, Any] = json.loads(text)
        jobs: dict[str, list[str]] = config.get("cluster") or {}
        task: dict[str, Any] = config.get("task") or {}
        kind, index = task.get("type", ""), int(task.get("index", 0))
        tasks = [(job, i) for job in _JOBS for i in range(len(jobs.get(job, [])))]
        addresses = tuple(str(jobs[job][i]) for job, i in tasks)
    except (ValueError, TypeError, AttributeError, LookupError) as error:
        raise UserError(
            f"TF_CONFIG={text[:80]} cannot be understood ({error}): expected JSON like"
            ' {"cluster": {"worker": ["host:port", …]}, "task": {"type": "worker",'
            ' "index": 0}}'
        ) from error
    if not jobs:
        return ALONE
    if jobs.get("ps"):
        raise UserError(
            "TF_CONFIG names parameter servers (ps), which are not used: name workers"
            " only"
        )
    if kind == "evaluator":
        if evaluates:
            return Cluster(source="TF_CONFIG")
        raise UserError(
            "TF_CONFIG makes this task an evaluator: run eval_image_classifier.py"
            " --eval_interval_secs=60 in it"
        )
    if (kind, index) not in tasks:
        raise UserError(
            f"TF_CONFIG: task {kind!r} {index} is not in its cluster of"
            f" {', '.join(f'{job} {i}' for job, i in tasks) or 'no task'}"
        )
    if len(addresses) == 1:
        return Cluster(source="TF_CONFIG")
    for address in addresses:
        host_and_port(address)
    rank = tasks.index((kind, index))
    return Cluster(
        rank, len(tasks), addresses[0], addresses, addresses, source="TF_CONFIG"
    )


def _from_slurm(environment: Mapping[str, str], port: int | None) -> Cluster:
    size = _number(environment, "SLURM_STEP_NUM_TASKS")
    job = _number(environment, "SLURM_JOB_ID")
    source = f"SLURM job {job}"
    if size == 1:
        return Cluster(source=source)
    rank = _number(environment, "SLURM_PROCID")
    _require_rank(rank, size, "SLURM_PROCID and SLURM_STEP_NUM_TASKS")
    machines = slurm.hosts(environment.get("SLURM_STEP_NODELIST", ""))
    chief = f"{machines[0]}:{20000 + job % 10000 if port is None else port}"
    if size != len(machines):
        here = slurm.tasks_per_machine(
            environment.get("SLURM_STEP_TASKS_PER_NODE", ""),
            _number(environment, "SLURM_NODEID", 0),
        )
        return Cluster(rank, size, chief, None, None, max(2, here), source)
    host = environment.get("SLURMD_NODENAME", machines[rank])
    if host != machines[rank]:
        raise UserError(
            f"{source}: task {rank} runs on {host}, and by its number on"
            f" {machines[rank]}: leave out srun's --distribution"
        )
    return Cluster(rank, size, chief, None, tuple(machines), source=source)


@dataclasses.dataclass(frozen=True)
class _Names:
    """The variables in which a launcher states the tasks."""

    rank: str
    size: str
    address: str
    port: str
    local_size: str
    source: str


_TORCH = _Names(
    "RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT", "LOCAL_WORLD_SIZE", "WORLD_SIZE"
)
_KUBEFLOW = _Names(
    "PET_NODE_RANK",
    "PET_NNODES",
    "PET_MASTER_ADDR",
    "PET_MASTER_PORT",
    "PET_NPROC_PER_NODE",
    "PET_NNODES",
)


def _from_names(
    environment: Mapping[str, str], names: _Names, port: int | None
) -> Cluster:
    size = _number(environment, names.size)
    if size <= 1:
        return Cluster(source=names.source)
    rank = _number(environment, names.rank)
    _require_rank(rank, size, f"{names.rank} and {names.size}")
    if not (host := environment.get(names.address)):
        raise UserError(
            f"{names.size}={size}, and {names.address} is not set: it names the machine"
            f" of task 0; --cluster=off trains on this machine alone"
        )
    if names.port in environment:
        port = _number(environment, names.port)
    local = environment.get(names.local_size, "1")
    per_machine = int(local) if local.isdecimal() else 1
    chief = f"{host}:{_DEFAULT_PORT if port is None else port}"
    return Cluster(rank, size, chief, None, None, per_machine, names.source)


def host_and_port(address: str) -> tuple[str, int]:
    """The two parts of "host:port" or "[IPv6]:port".

    Raises:
      UserError: it has no port.
    """
    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal():
        raise UserError(f"{address!r} is no address: expected host:port")
    return host.strip("[]"), int(port)
