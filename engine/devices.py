"""Which devices a run uses, through tf.distribute."""

from collections.abc import Iterator
from typing import Any

import tensorflow as tf
from absl import logging

from errors import UserError


def make_strategy(
    num_clones: int, *, on_cpu: bool = False, deterministic: bool = False
) -> tf.distribute.Strategy:
    """The strategy over the devices of this machine.

    On GPUs, memory is allocated as needed, so that training and evaluation can share
    one GPU, and operations without a GPU kernel run on the CPU. Must be called before
    TensorFlow uses a device.

    Args:
      num_clones: number of devices: GPUs if there are any, otherwise parts of the CPU.
      on_cpu: whether to use the CPU even if there is a GPU.
      deterministic: whether to use only operations with bit-identical results.

    Returns:
      A MirroredStrategy for several devices, a OneDeviceStrategy for one.

    Raises:
      UserError: there are fewer GPUs than clones.
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
    if kind == "CPU" and num_clones > 1:
        cpu = tf.config.list_physical_devices("CPU")[0]
        slices = [tf.config.LogicalDeviceConfiguration() for _ in range(num_clones)]
        tf.config.set_logical_device_configuration(cpu, slices)
    names = [f"/{kind}:{i}" for i in range(num_clones)]
    logging.info("devices: %s", ", ".join(name[1:] for name in names))
    if num_clones == 1:
        return tf.distribute.OneDeviceStrategy(names[0])
    return tf.distribute.MirroredStrategy(names)


def iterate(
    strategy: tf.distribute.Strategy, batches: tf.data.Dataset
) -> Iterator[Any]:
    """Iterates over batches, split over the devices and prefetched to them.

    A single CPU reads the data set directly, since the iterator of tf.distribute drops
    its options and may wait for an autotuner: see `pipeline_options`.
    """
    names = strategy.extended.worker_devices
    if len(names) == 1 and "CPU" in names[0]:
        return iter(batches)
    return iter(strategy.experimental_distribute_dataset(batches))
