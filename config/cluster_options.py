"""How several machines that run one command find each other."""

import dataclasses

from config.options import Options, option


@dataclasses.dataclass(frozen=True)
class ClusterOptions(Options):
    """Cluster."""

    cluster: str = option(
        "auto",
        "Where the machines that run this command together are found: tf_config"
        " (TF_CONFIG), slurm (srun's variables) or env (RANK, WORLD_SIZE, MASTER_ADDR,"
        " MASTER_PORT, or PET_NODE_RANK, …); auto takes those that are set, which must"
        " agree; off uses this machine alone (not a slim flag).",
        choices=("auto", "off", "tf_config", "slurm", "env"),
    )
    cluster_wait_secs: int = option(
        300,
        "Seconds to wait at the start for all machines (not a slim flag).",
        minimum=1,
    )
    cluster_heartbeat_secs: int = option(
        10,
        "Seconds without a sign of life after which a machine is given up (not a slim"
        " flag).",
        minimum=1,
    )
    cluster_port: int | None = option(
        None,
        "Port on the first machine that the others connect to, unless the launcher sets"
        " one; by default 20000 + the job's number modulo 10000 with SLURM, else 29400"
        " (not a slim flag).",
        minimum=1,
        maximum=65535,
    )
