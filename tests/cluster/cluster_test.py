"""The tasks of a command, and their addresses."""

import pytest

from cluster.cluster import Cluster, host_and_port
from errors import UserError


def test_a_command_for_one_machine_is_refused_to_several_tasks():
    Cluster().require_alone("fine_tune.py runs")
    with pytest.raises(UserError, match=r"fine_tune.py runs on one machine only.*2 of"):
        Cluster(2, 3, "a:1", source="x").require_alone("fine_tune.py runs")


def test_addresses_of_both_versions():
    assert host_and_port("n1:80") == ("n1", 80)
    assert host_and_port("[::1]:80") == ("::1", 80)


@pytest.mark.parametrize("address", ["n1", ":80", "n1:", "n1:x", "n1:0", "n1:65536"])
def test_what_is_no_address_is_refused(address):
    with pytest.raises(UserError, match="is not an address: expected host:port"):
        host_and_port(address)
