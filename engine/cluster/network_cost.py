"""How long the sums of a step take on a network, by a model."""

_BITS_PER_SEC = {"10 Gbit/s": 10e9, "100 Gbit/s": 100e9}
_LATENCY_SECS = 30e-6  # of a message over TCP, assumed


def secs_per_step(num_bytes: int, num_machines: int, bits_per_sec: float) -> float:
    """The time of a ring's sum: 2 (N - 1) messages, each of an N-th of the bytes.

    Args:
      num_bytes: that every machine comes with.
      num_machines: N.
      bits_per_sec: the bit rate of each machine's link.
    """
    messages = 2 * (num_machines - 1)
    return messages * (8 * num_bytes / num_machines / bits_per_sec + _LATENCY_SECS)


def as_text(num_bytes: int, num_machines: int) -> str:
    """The cost in words, for the log.

    Args:
      num_bytes: that every machine comes with, in each step.
      num_machines: at least 2.
    """
    times = " and ".join(
        f"{1e3 * secs_per_step(num_bytes, num_machines, rate):.3g} ms at {name}"
        for name, rate in _BITS_PER_SEC.items()
    )
    return (
        f"gradients: {num_bytes / 1e6:.3g} MB per step and machine; on an idle network"
        f" about {times}"
    )
