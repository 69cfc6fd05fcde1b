"""TensorFlow's strategy over the devices of several machines."""

import tensorflow as tf
from tensorflow.python.eager import context

from cluster.meeting import Met

_JOB = "worker"
# Gradients are added up in packs of this size, those of the last layers first, while
# those below are still computed; a larger tensor is a pack of its own, without a copy.
# benchmarks/README.md has the gain.
_PACK_BYTES = 4 << 20


def make_strategy(
    met: Met, *, num_gpus: int, heartbeat_secs: int
) -> tf.distribute.Strategy:
    """Connects the machines, each of which calls this at about the same time.

    Args:
      met: the machines.
      num_gpus: GPUs to use on this machine; 0 for its CPU.
      heartbeat_secs: after so long without a sign of life a machine is given up.
    """
    _configure_heartbeats(len(met.addresses), heartbeat_secs)
    resolver = tf.distribute.cluster_resolver.SimpleClusterResolver(
        tf.train.ClusterSpec({_JOB: list(met.addresses)}),
        task_type=_JOB,
        task_id=met.rank,
        num_accelerators={"GPU": num_gpus} if num_gpus else {},
        rpc_layer="grpc",
    )
    # NCCL on GPUs, a ring of sums over gRPC on CPUs.
    communication = tf.distribute.experimental.CommunicationOptions(
        bytes_per_pack=_PACK_BYTES,
        implementation=tf.distribute.experimental.CommunicationImplementation.AUTO,
    )
    return tf.distribute.MultiWorkerMirroredStrategy(resolver, communication)


def _configure_heartbeats(num_machines: int, heartbeat_secs: int) -> None:
    """Sets how soon TensorFlow notices a machine that hangs.

    There is no public way: the strategy leaves its coordination service as it is if it
    is configured before.
    """
    context.context().configure_coordination_service(
        service_type="standalone",
        service_leader=f"/job:{_JOB}/replica:0/task:0",
        heartbeat_timeout_in_ms=heartbeat_secs * 1000,
        coordinated_jobs=[
            context.coordination_config_pb2.CoordinatedJob(
                name=_JOB, num_tasks=num_machines
            )
        ],
    )
