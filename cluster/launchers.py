"""Which tasks run a command together: what the launcher's variables say."""

import dataclasses
import json
from collections.abc import Mapping, Sequence
from typing import Any

from cluster import slurm
from cluster.cluster import ALONE, Cluster, address_of, host_and_port
from errors import UserError

_DEFAULT_PORT = 29400
# Jobs of TF_CONFIG, in the order in which their tasks are ranked.
_JOBS = ("chief", "master", "worker")
_CHOOSE = "say with --cluster=tf_config, slurm or env which of them counts"
_UNSET = "to use this machine alone, unset the launcher's variables"


def find_cluster(
    environment: Mapping[str, str],
    kind: str = "auto",
    *,
    port: int | None = None,
    evaluates: bool = False,
    remedy: str = _CHOOSE,
) -> Cluster:
    """The tasks that the environment speaks of.

    A source that knows of one task says least: it yields to one of several tasks.

    Args:
      environment: as `os.environ`. Read are `TF_CONFIG`, the variables of a SLURM job
        step, `RANK`, `WORLD_SIZE`, `MASTER_ADDR` and `MASTER_PORT` (torchrun,
        PyTorchJob), and `PET_NODE_RANK`, `PET_NNODES`, `PET_MASTER_ADDR` and
        `PET_MASTER_PORT` (Kubeflow Trainer), in this order.
      kind: of these only "tf_config", "slurm" or "env" (the last two sets); "auto" is
        all that are there, and "off" none.
      port: the chief's, where the environment states none; None is 20000 + the job's
        number modulo 10000 with SLURM, else 29400.
      evaluates: whether the command is the one that evaluators run; such a task of
        `TF_CONFIG` works by itself.
      remedy: what to do where two of these say different things, a clause.

    Raises:
      UserError: the variables contradict each other, some are missing, or `kind` is
        not there at all.
    """
    if kind == "off":
        return ALONE
    found: list[Cluster] = []
    if kind in ("auto", "tf_config") and environment.get("TF_CONFIG"):
        found.append(_from_tf_config(environment["TF_CONFIG"], evaluates))
    if kind in ("auto", "slurm") and "SLURM_STEP_NUM_TASKS" in environment:
        found.append(_from_slurm(environment, port))
    if kind in ("auto", "env") and (names := _names_in(environment)):
        found.append(_from_names(environment, names, port))
    if found:
        return _agreed(found, remedy)
    if kind in ("auto", "env"):
        _require_no_rank(environment)
    if kind == "auto":
        return ALONE
    needed = {
        "tf_config": "TF_CONFIG is not set",
        "slurm": "this is no task that srun started (SLURM_STEP_NUM_TASKS is not set)",
        "env": f"neither {_TORCH.size} nor {_KUBEFLOW.size} is set",
    }
    raise UserError(f"--cluster={kind}, and {needed[kind]}: start the tasks with it")


def _agreed(found: Sequence[Cluster], remedy: str) -> Cluster:
    """What all sources say; the first of those that know of several tasks."""
    several = [cluster for cluster in found if not cluster.is_alone]
    chosen = several[0] if several else found[0]
    for other in several:
        if (other.rank, other.size) != (chosen.rank, chosen.size):
            raise UserError(
                f"{chosen.source} says that this is task {chosen.rank} of"
                f" {chosen.size}, and {other.source} that it is task {other.rank} of"
                f" {other.size}: {remedy}"
            )
    return chosen


def require_single_task(environment: Mapping[str, str], command: str) -> None:
    """Refuses to do the same in each of several tasks; see `Cluster.require_alone`."""
    find_cluster(environment, remedy=_UNSET).require_alone(command)


def lone_task_warning(environment: Mapping[str, str]) -> str | None:
    """What to tell a user whose SLURM script allocates tasks and starts one only."""
    allocated = environment.get("SLURM_NTASKS", "1")
    if "SLURM_STEP_NUM_TASKS" in environment or allocated == "1":
        return None
    return (
        f"SLURM allocated {allocated} tasks, and this command runs on one of them: to"
        " run on all, start it with srun"
    )


def _number(
    environment: Mapping[str, str], name: str, *, default: int | None = None
) -> int:
    """A variable that must be a whole number of 0 or more; without a default, set."""
    value = environment.get(name, str(default))
    if not value.isdecimal():
        found = f"is {value!r}" if name in environment else "is not set"
        raise UserError(
            f"{name} {found}: expected a whole number, as launchers set it; {_UNSET}"
        )
    return int(value)


def _require_rank(rank: int, rank_name: str, size: int, size_name: str) -> None:
    if not rank < size:
        raise UserError(
            f"{rank_name}={rank} and {size_name}={size} contradict each other: tasks"
            " are numbered from 0 to one less than their number"
        )


def _from_tf_config(text: str, evaluates: bool) -> Cluster:
    jobs, kind, index = _read_tf_config(text)
    if not jobs and not index:
        return ALONE
    if jobs.get("ps"):
        raise UserError(
            "TF_CONFIG names parameter servers (ps), which are not supported: name"
            " workers only"
        )
    if kind == "evaluator":
        if evaluates:
            return Cluster(source="TF_CONFIG")
        raise UserError(
            "TF_CONFIG makes this task an evaluator: run eval_image_classifier.py"
            " --eval_interval_secs=60 in it"
        )
    tasks = {(job, i): a for job in _JOBS for i, a in enumerate(jobs.get(job, []))}
    if (kind, index) not in tasks:
        listed = ", ".join(f"{job} {i}" for job, i in tasks) or "no task"
        raise UserError(
            f"TF_CONFIG says that this is task {kind!r} {index}, which its cluster does"
            f" not list: it has {listed}"
        )
    addresses = tuple(tasks.values())
    if len(addresses) == 1:
        return Cluster(source="TF_CONFIG")
    for rank, address in enumerate(addresses):
        host_and_port(address)
        if address in addresses[:rank]:
            raise UserError(
                f"TF_CONFIG names {address} twice: each task needs an address of its"
                " own"
            )
    rank = list(tasks).index((kind, index))
    return Cluster(
        rank, len(tasks), addresses[0], addresses, addresses, source="TF_CONFIG"
    )


def _read_tf_config(text: str) -> tuple[dict[str, list[str]], str, int]:
    """The addresses by job, and the job and number of this task."""

    def require(is_so: bool, wrong: str) -> None:
        if not is_so:
            raise UserError(
                f"TF_CONFIG={text[:80]} cannot be understood ({wrong}): expected JSON"
                ' like {"cluster": {"worker": ["host:port", …]}, "task": {"type":'
                ' "worker", "index": 0}}'
            )

    config: Any = None
    try:
        config = json.loads(text)
    except ValueError as error:
        require(False, str(error))
    require(isinstance(config, dict), "it is not an object")
    jobs: Any = config.get("cluster") or {}
    task: Any = config.get("task") or {}
    require(isinstance(jobs, dict), "its cluster is not an object")
    for job, addresses in jobs.items():
        is_list = isinstance(addresses, list)
        is_right = is_list and all(isinstance(a, str) for a in addresses)
        require(is_right, f"{job} is not a list of addresses")
    require(isinstance(task, dict), "its task is not an object")
    index = str(task.get("index", 0))
    require(index.isdecimal(), f"its task's index is {index}")
    return jobs, str(task.get("type", "")), int(index)


def _from_slurm(environment: Mapping[str, str], port: int | None) -> Cluster:
    size = _number(environment, "SLURM_STEP_NUM_TASKS")
    job = _number(environment, "SLURM_JOB_ID")
    source = f"SLURM job {job}"
    rank = _number(environment, "SLURM_PROCID", default=0 if size == 1 else None)
    _require_rank(rank, "SLURM_PROCID", size, "SLURM_STEP_NUM_TASKS")
    if size == 1:
        return Cluster(source=source)
    nodes = environment.get("SLURM_STEP_NODELIST", "")
    machines = slurm.hosts(nodes)
    if size < len(machines):
        raise UserError(
            f"SLURM_STEP_NUM_TASKS={size} and SLURM_STEP_NODELIST={nodes} contradict"
            f" each other: these are {len(machines)} machines"
        )
    chief = f"{machines[0]}:{20000 + job % 10000 if port is None else port}"
    if size > len(machines):
        here = slurm.tasks_per_machine(
            environment.get("SLURM_STEP_TASKS_PER_NODE", ""),
            _number(environment, "SLURM_NODEID", default=0),
        )
        return Cluster(rank, size, chief, None, None, max(2, here), source)
    host = environment.get("SLURMD_NODENAME", machines[rank])
    if host != machines[rank]:
        raise UserError(
            f"{source}: task {rank} runs on {host} instead of {machines[rank]}:"
            " leave out srun's --distribution"
        )
    return Cluster(rank, size, chief, None, tuple(machines), source=source)


@dataclasses.dataclass(frozen=True)
class _Names:
    """The variables in which a launcher states the tasks; "" for one it has not."""

    rank: str
    size: str
    address: str
    port: str
    local_size: str


_TORCH = _Names("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT", "LOCAL_WORLD_SIZE")
# PET_NPROC_PER_NODE is what torchrun would start in a pod; here one process runs in it.
_KUBEFLOW = _Names(
    "PET_NODE_RANK", "PET_NNODES", "PET_MASTER_ADDR", "PET_MASTER_PORT", ""
)


def _names_in(environment: Mapping[str, str]) -> _Names | None:
    """The variables that are set; one task that torchrun started may be of several."""
    there = [names for names in (_TORCH, _KUBEFLOW) if environment.get(names.size)]
    several = [names for names in there if environment[names.size] != "1"]
    return next(iter([*several, *there]), None)


def _require_no_rank(environment: Mapping[str, str]) -> None:
    """Refuses the number of a task where nothing says how many there are."""
    for names in (_TORCH, _KUBEFLOW):
        if rank := environment.get(names.rank):
            raise UserError(
                f"{names.rank} is {rank}, and {names.size} is not set: set both, as"
                " launchers do, or neither"
            )


def _from_names(
    environment: Mapping[str, str], names: _Names, port: int | None
) -> Cluster:
    size = _number(environment, names.size)
    rank = _number(environment, names.rank, default=0 if size == 1 else None)
    _require_rank(rank, names.rank, size, names.size)
    if size == 1:
        return Cluster(source=names.size)
    if not (host := environment.get(names.address)):
        raise UserError(
            f"{names.size}={size}, and {names.address} is not set: it names the machine"
            f" of task 0; {_UNSET}"
        )
    if names.port in environment:
        port = _number(environment, names.port)
    local = environment.get(names.local_size, "1")
    per_machine = int(local) if local.isdecimal() else 1
    chief = address_of(host, _DEFAULT_PORT if port is None else port)
    host_and_port(chief)
    return Cluster(rank, size, chief, None, None, per_machine, names.size)
