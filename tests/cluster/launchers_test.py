"""Who takes part, from the variables of launchers; no process is started."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster import slurm
from cluster.cluster import Cluster
from cluster.launchers import find_cluster, lone_task_warning, require_single_task
from cluster.shares import find_share
from errors import UserError

STEP = {
    "SLURM_JOB_ID": "77",
    "SLURM_NTASKS": "3",
    "SLURM_STEP_NUM_TASKS": "3",
    "SLURM_STEP_NODELIST": "n[1-2,10]",
    "SLURM_STEP_TASKS_PER_NODE": "1(x3)",
    "SLURM_PROCID": "2",
    "SLURMD_NODENAME": "n10",
}
TORCH = {"RANK": "1", "WORLD_SIZE": "2", "MASTER_ADDR": "a", "MASTER_PORT": "29500"}
KUBEFLOW = {"PET_NODE_RANK": "1", "PET_NNODES": "2", "PET_MASTER_ADDR": "job-0.svc"}


def tf_config(kind="worker", index=0, **jobs):
    jobs = jobs or {"worker": ["a:1", "b:2"]}
    return {
        "TF_CONFIG": json.dumps(
            {"cluster": jobs, "task": {"type": kind, "index": index}}
        )
    }


def refusal(environment, kind="auto", **options):
    with pytest.raises(UserError) as raised:
        find_cluster(environment, kind, **options)
    assert "\n" not in str(raised.value)
    return str(raised.value)


def test_without_variables_there_is_one_machine():
    assert find_cluster({}) == Cluster()
    assert str(Cluster()) == "one machine"
    assert Cluster().is_chief
    assert Cluster().is_alone


def test_tf_config_ranks_the_chief_before_the_workers():
    cluster = find_cluster(tf_config("worker", 1, worker=["b:2", "c:3"], chief=["a:1"]))
    assert (cluster.rank, cluster.size, cluster.chief) == (2, 3, "a:1")
    assert cluster.addresses == ("a:1", "b:2", "c:3")
    assert str(cluster) == "3 machines (TF_CONFIG), this is 2 (c:3) of 0–2, chief a:1"


def test_tf_config_of_one_worker_or_without_a_cluster_is_one_machine():
    assert find_cluster(tf_config(worker=["a:1"])).is_alone
    assert find_cluster({"TF_CONFIG": "{}"}).is_alone


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({"TF_CONFIG": "{"}, "cannot be understood"),
        ({"TF_CONFIG": "[1]"}, "it is not an object"),
        ({"TF_CONFIG": '{"cluster": ["a:1"]}'}, "its cluster is not an object"),
        (tf_config(worker="a:1"), "worker is not a list of addresses"),
        (tf_config(worker=[1, 2]), "worker is not a list of addresses"),
        (tf_config(index=1.5), "its task's index is 1.5"),
        (tf_config(index=-1), "its task's index is -1"),
        (
            {"TF_CONFIG": '{"task": {"index": 1}}'},
            "task '' 1, which its cluster does not list: it has no",
        ),
        (tf_config(worker=["a:1", "a:1"]), "names a:1 twice"),
        (tf_config(worker=["a:1", "b:65536"]), "with a port of 1 to 65535"),
        (tf_config(worker=["a:1", "b:2"], ps=["c:3"]), "parameter servers"),
        (tf_config("worker", 2), "task 'worker' 2, which its cluster does not list"),
        (tf_config(worker=["a:1", "b"]), "'b' is not an address: expected host:port"),
        (STEP | {"SLURM_PROCID": "3"}, "SLURM_PROCID=3 and SLURM_STEP_NUM_TASKS=3"),
        (STEP | {"SLURM_STEP_NUM_TASKS": "1"}, "=2 and SLURM_STEP_NUM_TASKS=1 contra"),
        (STEP | {"SLURM_STEP_NUM_TASKS": "2", "SLURM_PROCID": "0"}, "are 3 machines"),
        (STEP | {"SLURM_PROCID": "x"}, "SLURM_PROCID is 'x'"),
        (STEP | {"SLURMD_NODENAME": "n2"}, "task 2 runs on n2 instead of n10"),
        (STEP | {"SLURM_STEP_NODELIST": "n[1-"}, "not a list of hosts"),
        (TORCH | {"RANK": "2"}, "RANK=2 and WORLD_SIZE=2 contradict each other"),
        (TORCH | {"WORLD_SIZE": "1"}, "RANK=1 and WORLD_SIZE=1 contradict each other"),
        ({"RANK": "0", "WORLD_SIZE": "0"}, "RANK=0 and WORLD_SIZE=0 contradict"),
        (TORCH | {"MASTER_PORT": "65536"}, "with a port of 1 to 65535"),
        ({"RANK": "0", "MASTER_ADDR": "a"}, "RANK is 0, and WORLD_SIZE is not set"),
        ({"PET_NODE_RANK": "1"}, "PET_NODE_RANK is 1, and PET_NNODES is not set"),
        ({"WORLD_SIZE": "2"}, "RANK is not set"),
        ({"WORLD_SIZE": "2", "RANK": "0"}, "MASTER_ADDR is not set"),
    ],
)
def test_variables_that_cannot_be_meant_are_refused(environment, said):
    assert said in refusal(environment)


def test_an_evaluator_works_by_itself_in_the_evaluation_command_only():
    environment = tf_config("evaluator", 0)
    assert "eval_image_classifier.py" in refusal(environment)
    assert find_cluster(environment, evaluates=True).is_alone


def test_a_slurm_step_meets_at_its_first_host():
    cluster = find_cluster(STEP)
    assert (cluster.rank, cluster.size, cluster.chief) == (2, 3, "n1:20077")
    assert cluster.hosts == ("n1", "n2", "n10")
    assert cluster.addresses is None
    assert find_cluster(STEP, port=5).chief == "n1:5"
    assert str(cluster).startswith("3 machines (SLURM job 77), this is 2 (n10)")


def test_a_slurm_step_of_one_task_is_one_machine():
    alone = STEP | {"SLURM_STEP_NUM_TASKS": "1", "SLURM_PROCID": "0"}
    assert find_cluster(alone).is_alone


def test_a_batch_script_without_srun_runs_alone_and_warns():
    environment = {"SLURM_JOB_ID": "77", "SLURM_NTASKS": "2", "SLURM_PROCID": "0"}
    assert find_cluster(environment).is_alone
    assert "2 tasks" in (lone_task_warning(environment) or "")
    assert lone_task_warning(STEP) is None
    assert lone_task_warning({}) is None


def test_several_tasks_on_a_machine_are_known():
    step = STEP | {
        "SLURM_STEP_NUM_TASKS": "4",
        "SLURM_STEP_NODELIST": "n[1-2]",
        "SLURM_STEP_TASKS_PER_NODE": "3,1",
        "SLURM_NODEID": "0",
    }
    cluster = find_cluster(step)
    assert (cluster.rank, cluster.size, cluster.tasks_per_machine) == (2, 4, 3)
    with pytest.raises(UserError, match="--num_clones"):
        cluster.require_one_per_machine()
    find_cluster(STEP).require_one_per_machine()
    torchrun = find_cluster(TORCH | {"LOCAL_WORLD_SIZE": "2"})
    assert torchrun.tasks_per_machine == 2


def test_the_names_of_torchrun_and_of_kubeflow():
    cluster = find_cluster(TORCH)
    assert (cluster.rank, cluster.size, cluster.chief) == (1, 2, "a:29500")
    cluster = find_cluster(KUBEFLOW)
    assert (cluster.rank, cluster.size, cluster.chief) == (1, 2, "job-0.svc:29400")
    assert find_cluster(TORCH | {"WORLD_SIZE": "1", "RANK": "0"}).is_alone
    assert find_cluster({"WORLD_SIZE": "1"}).is_alone
    assert find_cluster(KUBEFLOW | {"RANK": "5"}).size == 2  # a RANK of something else


@pytest.mark.parametrize("host", ["fd00::1", "[fd00::1]"])
def test_a_chief_may_have_an_address_of_ipv6(host):
    assert find_cluster(TORCH | {"MASTER_ADDR": host}).chief == "[fd00::1]:29500"


def test_a_flag_chooses_among_those_that_are_set():
    everything = tf_config() | STEP | TORCH
    assert find_cluster(everything, "tf_config").source == "TF_CONFIG"
    assert find_cluster(everything, "slurm").source == "SLURM job 77"
    assert find_cluster(everything, "env").source == "WORLD_SIZE"
    assert find_cluster(everything, "off").is_alone
    for kind in ("tf_config", "slurm", "env"):
        assert f"--cluster={kind}" in refusal({}, kind)


def test_those_that_are_set_must_agree():
    assert refusal(tf_config() | STEP) == (
        "TF_CONFIG says that this is task 0 of 2, and SLURM job 77 that it is task 2 of"
        " 3: say with --cluster=tf_config, slurm or env which of them counts"
    )
    assert "SLURM job 77" in refusal(STEP | TORCH)
    assert "WORLD_SIZE" in refusal(tf_config(index=0) | TORCH)
    agreed = find_cluster(tf_config(index=1) | TORCH)
    assert (agreed.source, agreed.rank, agreed.size) == ("TF_CONFIG", 1, 2)


@pytest.mark.parametrize(
    "of_one",
    [
        STEP | {"SLURM_STEP_NUM_TASKS": "1", "SLURM_PROCID": "0"},  # srun --pty bash
        {"TF_CONFIG": "{}"},
        tf_config(worker=["a:1"]),
    ],
)
def test_one_task_yields_to_several(of_one):
    assert find_cluster(of_one).is_alone
    cluster = find_cluster(of_one | TORCH)
    assert (cluster.source, cluster.rank, cluster.size) == ("WORLD_SIZE", 1, 2)
    one_each = {"RANK": "0", "WORLD_SIZE": "1"}
    assert find_cluster(of_one | one_each).is_alone
    assert find_cluster(one_each | KUBEFLOW).source == "PET_NNODES"


def test_a_pod_of_kubeflow_is_one_task_whatever_torchrun_would_start_in_it():
    cluster = find_cluster(KUBEFLOW | {"PET_NPROC_PER_NODE": "8"})
    assert (cluster.size, cluster.tasks_per_machine) == (2, 1)
    cluster.require_one_per_machine()


def test_no_flag_is_advised_that_a_command_may_lack():
    for environment in ({"WORLD_SIZE": "x"}, {"RANK": "0", "WORLD_SIZE": "2"}):
        said = refusal(environment)
        assert "--" not in said
        assert said.endswith("unset the launcher's variables")
    with pytest.raises(UserError, match="3: to use this machine alone, unset"):
        require_single_task(tf_config() | STEP, "probe runs")
    with pytest.raises(UserError, match="3: say with --num_tasks and --task"):
        find_share(tf_config() | STEP, None, None, 60)
    assert find_share(tf_config() | STEP, 4, 1, 60).task == 1


def test_host_lists_by_hand():
    text = "n[1-3,07],r[1-2]n[08-09]x,m"
    assert slurm.hosts(text) == [
        *("n1", "n2", "n3", "n07"),
        *("r1n08x", "r1n09x", "r2n08x", "r2n09x", "m"),
    ]
    assert [slurm.tasks_per_machine("2(x3),1", n) for n in range(5)] == [2, 2, 2, 1, 1]
    for bad in ("", "n[", "n[a]", "n]1", "n[1-2"):
        with pytest.raises(UserError):
            slurm.hosts(bad)


names = st.from_regex(r"[a-z]([a-z-]{0,4}[a-z])?", fullmatch=True)
numbers = st.lists(st.integers(0, 1200), min_size=1, max_size=5, unique=True)


@given(st.lists(st.tuples(names, numbers, st.integers(1, 4)), min_size=1, max_size=4))
def test_host_lists_come_apart_as_they_were_put_together(groups):
    hosts, items = [], []
    for name, ids, width in groups:
        pieces = []
        for first in ids:
            last = first + first % 3
            pieces.append(
                f"{first:0{width}d}" + (f"-{last:0{width}d}" if last > first else "")
            )
            hosts += [f"{name}{n:0{width}d}" for n in range(first, last + 1)]
        items.append(f"{name}[{','.join(pieces)}]")
    assert slurm.hosts(",".join(items)) == hosts
