"""Where a net can end, for tests of nets that do."""

from nets import cut
from nets.net_entry import NetEntry


def find_all(entry: NetEntry, input_shape: tuple[int, ...]) -> list[str]:
    """Names of the end points at which a net can end, in the order of building.

    Args:
      entry: the net.
      input_shape: (height, width, channels) of its images.
    """
    _, found = cut._trace(entry, None, input_shape, {})
    return [name for name, t in found.items() if not cut.reason_against(entry, t)]
