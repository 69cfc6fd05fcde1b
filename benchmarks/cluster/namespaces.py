"""Two "machines" on this one: network namespaces, joined by a link. Needs root."""

import contextlib
import subprocess
from collections.abc import Callable, Iterator

_NAMES = "slim-0", "slim-1"
_ENDS = "slim-e0", "slim-e1"
ADDRESSES = "10.77.0.1", "10.77.0.2"
# What starts a command in each.
INSIDE = [["ip", "netns", "exec", name] for name in _NAMES]


@contextlib.contextmanager
def linked() -> Iterator[Callable[[], None]]:
    """Has the namespaces inside; gives what takes their link down."""

    def ip(command: str) -> None:
        subprocess.run(["ip", *command.split()], check=True)

    with contextlib.ExitStack() as stack:
        for name in _NAMES:
            ip(f"netns add {name}")
            stack.callback(ip, f"netns del {name}")
        ip(f"link add {_ENDS[0]} type veth peer name {_ENDS[1]}")
        for name, end, address in zip(_NAMES, _ENDS, ADDRESSES, strict=True):
            ip(f"link set {end} netns {name}")
            ip(f"-n {name} addr add {address}/24 dev {end}")
            ip(f"-n {name} link set {end} up")
            ip(f"-n {name} link set lo up")
        yield lambda: ip(f"-n {_NAMES[1]} link set {_ENDS[1]} down")
