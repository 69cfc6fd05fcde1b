"""Which strategy for which devices; several slices of a CPU are in train_step_test."""

import pytest
import tensorflow as tf

from config.shared_options import ComputeOptions
from engine import devices
from errors import UserError


@pytest.fixture
def one_gpu(monkeypatch):
    """A machine that has one GPU; gives the list of what was asked of it."""
    asked = []
    config = tf.config
    monkeypatch.setattr(config, "list_physical_devices", lambda kind: [f"{kind} 0"])
    monkeypatch.setattr(
        config.experimental,
        "set_memory_growth",
        lambda gpu, enable: asked.append((gpu, enable)),
    )
    monkeypatch.setattr(
        config, "set_visible_devices", lambda names, kind: asked.append((names, kind))
    )
    return asked


def test_a_machine_without_a_gpu_trains_on_its_cpu():
    strategy = devices.make_strategy(1, on_cpu=True)
    assert isinstance(strategy, tf.distribute.OneDeviceStrategy)
    assert strategy.extended.worker_devices[0].endswith("CPU:0")


def test_one_cpu_takes_batches_as_they_are():
    batches = tf.data.Dataset.range(4).batch(2)
    iterator = devices.iterate(devices.make_strategy(1, on_cpu=True), batches)
    # Not tf.distribute's, whose own pipeline knows none of the options of `batches`.
    assert isinstance(iterator, tf.data.Iterator)
    assert [batch.numpy().tolist() for batch in iterator] == [[0, 1], [2, 3]]


def test_a_gpu_is_taken_and_its_memory_as_needed(one_gpu):
    strategy = devices.make_strategy(1)
    assert strategy.extended.worker_devices[0].endswith("GPU:0")
    assert one_gpu == [("GPU 0", True)]
    assert tf.config.get_soft_device_placement()


def test_clone_on_cpu_hides_the_gpu(one_gpu):
    strategy = devices.make_strategy(1, on_cpu=True)
    assert strategy.extended.worker_devices[0].endswith("CPU:0")
    assert one_gpu == [([], "GPU")]


def test_more_clones_than_gpus_are_refused(one_gpu):
    with pytest.raises(UserError, match=r"--num_clones=2: this machine has 1 GPU"):
        devices.make_strategy(2)


@pytest.mark.parametrize(
    ("environment", "left"),
    [({"SLURM_LOCALID": "5"}, "GPU 1"), ({"LOCAL_RANK": "0"}, "GPU 0"), ({}, None)],
)
def test_tasks_of_one_machine_share_out_its_gpus(monkeypatch, environment, left):
    asked = []
    gpus = [f"GPU {i}" for i in range(4)]
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda _: gpus)
    monkeypatch.setattr(
        tf.config, "set_visible_devices", lambda gpu, _: asked.append(gpu)
    )
    devices.leave_gpus_to_others(environment)
    assert asked == ([left] if left else [])


@pytest.mark.parametrize("chosen", [True, False])
def test_kernels_are_as_the_flags_say(chosen):
    usual = tf.config.optimizer.get_jit()
    try:
        devices.choose_kernels(ComputeOptions(tf32=chosen, jit_compile=chosen))
        found = tf.config.experimental.tensor_float_32_execution_enabled()
        assert (found, bool(tf.config.optimizer.get_jit())) == (chosen, chosen)
    finally:
        tf.config.optimizer.set_jit(usual)
        tf.config.experimental.enable_tensor_float_32_execution(True)
