"""Which devices a run uses, through tf.distribute."""

from collections.abc import Iterator, Mapping
from typing import Any

import tensorflow as tf
from absl import logging

from cluster.meeting import Met
from config.shared_options import ComputeOptions
from engine.cluster import joining, multi_worker
from errors import UserError


def make_strategy(
    num_clones: int,
    *,
    on_cpu: bool = False,
    deterministic: bool = False,
    met: Met | None = None,
    heartbeat_secs: int = 10,
) -> tf.distribute.Strategy:
    """The strategy over the devices of this machine, and of those it met.

    On GPUs, memory is allocated as needed, so that training and evaluation can share
    one GPU, and operations without a GPU kernel run on the CPU. Must be called before
    TensorFlow uses a device.

    Args:
      num_clones: number of devices on each machine: GPUs if there are any, otherwise
        parts of the CPU.
      on_cpu: whether to use the CPU even if there is a GPU.
      deterministic: whether to use only operations with bit-identical results.
      met: the machines that make up the strategy; None for this one.
      heartbeat_secs: after so long without a sign of life a machine is given up.

    Returns:
      A MirroredStrategy for several devices, a OneDeviceStrategy for one, and a
      MultiWorkerMirroredStrategy for several machines.

    Raises:
      UserError: there are fewer GPUs than clones, or several machines have none.
    """
    tf.config.set_soft_device_placement(True)
    if deterministic:
        tf.config.experimental.enable_op_determinism()
    gpus = tf.config.list_physical_devices("GPU")
    if on_cpu:
        tf.config.set_visible_devices([], "GPU")
    elif gpus:
        for gpu in gpus:
            tf.config.experimental.set_memory_growth(gpu, True)
        if num_clones > len(gpus):
            raise UserError(
                f"--num_clones={num_clones}: this machine has {len(gpus)} GPUs; lower"
                " it or train on the CPU with --clone_on_cpu"
            )
    kind = "GPU" if gpus and not on_cpu else "CPU"
    if met:
        return _of_machines(met, num_clones, kind, heartbeat_secs)
    if kind == "CPU" and num_clones > 1:
        cpu = tf.config.list_physical_devices("CPU")[0]
        slices = [tf.config.LogicalDeviceConfiguration() for _ in range(num_clones)]
        tf.config.set_logical_device_configuration(cpu, slices)
    names = [f"/{kind}:{i}" for i in range(num_clones)]
    logging.info("devices: %s", ", ".join(name[1:] for name in names))
    if num_clones == 1:
        return tf.distribute.OneDeviceStrategy(names[0])
    return tf.distribute.MirroredStrategy(names)


def choose_kernels(compute: ComputeOptions) -> None:
    """Sets how GPUs multiply, and what is compiled, for all that comes after."""
    tf.config.experimental.enable_tensor_float_32_execution(compute.tf32)
    tf.config.optimizer.set_jit("autoclustering" if compute.jit_compile else False)


def leave_gpus_to_others(environment: Mapping[str, str]) -> None:
    """Keeps one GPU where several tasks of a job share a machine and see all of them.

    Must be called before TensorFlow uses a device.

    Args:
      environment: as `os.environ`; `SLURM_LOCALID` or `LOCAL_RANK` number the tasks of
        a machine. Where the launcher gave each its own (`CUDA_VISIBLE_DEVICES`), there
        is only that one to choose.
    """
    number = environment.get("SLURM_LOCALID") or environment.get("LOCAL_RANK") or ""
    gpus = tf.config.list_physical_devices("GPU")
    if gpus and number.isdecimal():
        tf.config.set_visible_devices(gpus[int(number) % len(gpus)], "GPU")


def _of_machines(
    met: Met, num_clones: int, kind: str, heartbeat_secs: int
) -> tf.distribute.Strategy:
    if kind == "CPU" and num_clones > 1:
        raise UserError(
            f"--num_clones={num_clones} on several machines needs as many GPUs on each:"
            " a machine without one trains on its CPU as a whole, with --num_clones=1"
        )
    if kind == "GPU":
        gpus = tf.config.list_physical_devices("GPU")
        tf.config.set_visible_devices(gpus[:num_clones], "GPU")
    logging.info("devices: %d %ss on each machine", num_clones, kind)
    with joining.own_signals():
        return multi_worker.make_strategy(
            met,
            num_gpus=num_clones if kind == "GPU" else 0,
            heartbeat_secs=heartbeat_secs,
        )


def iterate(
    strategy: tf.distribute.Strategy, batches: tf.data.Dataset
) -> Iterator[Any]:
    """Iterates over batches, split over the devices and prefetched to them.

    A single CPU reads the data set directly, since the iterator of tf.distribute drops
    its options and may wait for an autotuner: see `pipeline_options`.

    Args:
      strategy: the devices.
      batches: without an end, those of this machine.
    """
    names = strategy.extended.worker_devices
    if len(names) == 1 and "CPU" in names[0]:
        return iter(batches)
    if isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy):
        rows = tf.nest.flatten(batches.element_spec)[0].shape[0] // len(names)
        # Known to have no end: else all machines would ask each other before each step.
        batches = batches.rebatch(rows).apply(
            tf.data.experimental.assert_cardinality(tf.data.INFINITE_CARDINALITY)
        )
        return iter(strategy.distribute_datasets_from_function(lambda _: batches))
    return iter(strategy.experimental_distribute_dataset(batches))
