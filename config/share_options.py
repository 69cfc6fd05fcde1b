"""How the tasks of a job share work that needs no agreement."""

import dataclasses

from config.options import Options, option


@dataclasses.dataclass(frozen=True)
class ShareOptions(Options):
    """Tasks of one job."""

    num_tasks: int | None = option(
        None,
        "Number of tasks that run this same command, each on its share; task 0 puts the"
        " parts together. By default the tasks that srun or another launcher started,"
        " else 1; in an array job, give both --num_tasks and --task.",
        minimum=1,
    )
    task: int | None = option(
        None, "Number of this task, from 0 to --num_tasks minus 1.", minimum=0
    )
    task_wait_secs: int = option(
        600,
        "Seconds without a new part from any other task after which the command ends"
        " with status 138; it may be started again.",
        minimum=1,
    )
