"""How the tasks of a job share work that needs no agreement."""

import dataclasses

from config.options import Options, option


@dataclasses.dataclass(frozen=True)
class ShareOptions(Options):
    """Several tasks on one job."""

    num_tasks: int | None = option(
        None,
        "Number of tasks that run this same command, each on its share; task 0 puts the"
        " parts together. By default the tasks that srun or another launcher started,"
        " else 1; an array job gives it with --task (not a slim flag).",
        minimum=1,
    )
    task: int | None = option(
        None, "Number of this task, from 0 to --num_tasks minus 1.", minimum=0
    )
    task_wait_secs: int = option(
        600,
        "Seconds to wait for the parts of other tasks while none comes; then the"
        " command ends with status 138, and may be started again (not a slim flag).",
        minimum=1,
    )
