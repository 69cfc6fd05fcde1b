"""How a command on several machines begins and ends."""

import contextlib
import os
import re
import signal
import time
from collections.abc import Callable, Iterator, Mapping

import tensorflow as tf
from absl import logging

from cluster.cluster import Cluster
from cluster.launchers import find_cluster, lone_task_warning
from cluster.meeting import Met, meet
from cluster.watch import Watch
from common.atomic_files import explained_errors
from config.cluster_options import ClusterOptions
from engine.cluster import one_folder
from errors import PeerError, UserError, one_line

_SECS_FOR_NEWS = 0.5  # the connection of a killed task ends at once
# What TensorFlow raises when a sum over the machines fails.
_OF_PEERS = (
    tf.errors.UnavailableError,
    tf.errors.AbortedError,
    tf.errors.InternalError,
    tf.errors.CancelledError,
    tf.errors.DeadlineExceededError,
    tf.errors.UnknownError,
)
_SAYS_SO = re.compile(r"ollective|/job:worker|unhealthy|heartbeat|coordination")
_UNHEALTHY = re.compile(r"unhealthy[^/]*/job:worker/replica:0/task:(\d+)")
_TASK = re.compile(r"/job:worker/replica:0/task:(\d+)")


def find(options: ClusterOptions, *, evaluates: bool = False) -> Cluster:
    """The machines that run this command, which are logged if there are several.

    Args:
      options: where to look.
      evaluates: see `find_cluster`.

    Raises:
      UserError: the environment cannot be understood, or asks for what cannot be.
    """
    cluster = find_cluster(
        os.environ, options.cluster, port=options.cluster_port, evaluates=evaluates
    )
    if options.cluster != "off" and (warning := lone_task_warning(os.environ)):
        logging.warning("%s", warning)
    cluster.require_one_per_machine()
    if not cluster.is_alone:
        logging.info("cluster: %s", cluster)
    return cluster


@contextlib.contextmanager
def joined(
    cluster: Cluster,
    options: ClusterOptions,
    facts: Callable[[], Mapping[str, str]],
    remedies: Mapping[str, str],
    *,
    train_dir: str | None = None,
    in_step: bool = True,
) -> Iterator[Met | None]:
    """Meets the other machines; inside, losing one is a `PeerError`.

    All end with an error if one does. From then on, only the chief logs more than
    warnings.

    Args:
      cluster: the machines.
      options: how long to wait.
      facts: finds what must be the same on all, by name; not asked on a single one.
      remedies: what to do where it is not, by name.
      train_dir: a folder that all must share, and which the chief makes.
      in_step: whether no machine can do without another.

    Yields:
      The machines; None for a single one.

    Raises:
      UserError: a machine has other facts, or ended with such an error.
      PeerError: a machine did not join, or is gone.
    """
    if cluster.is_alone:
        yield None
        return
    started_at = time.monotonic()
    wait_secs = options.cluster_wait_secs
    stated, fault = _stated(facts)
    met = meet(*(cluster, stated), wait_secs=wait_secs, remedies=remedies, fault=fault)
    if train_dir is not None:
        one_folder.require_shared(met, train_dir)
    logging.info("cluster: all met after %.1f s", time.monotonic() - started_at)
    if not cluster.is_chief:
        logging.set_verbosity(logging.WARNING)
    if not in_step:
        for line in met.lines.values():
            line.close()
        yield met
        return
    watch = Watch(met, options.cluster_heartbeat_secs)
    try:
        yield met
    except _OF_PEERS as error:
        if not is_of_peers(error):
            raise
        explained = _explained(error, met, watch)
        watch.close(explained)
        raise explained from error
    except UserError as error:
        watch.close(error)
        raise
    watch.close()


def _stated(
    facts: Callable[[], Mapping[str, str]],
) -> tuple[Mapping[str, str], UserError | None]:
    """The facts, or why there are none."""
    try:
        with explained_errors():
            return facts(), None
    except UserError as error:
        return {}, error


def is_of_peers(error: BaseException) -> bool:
    """Whether another machine, and not this one's data, is behind an error."""
    return isinstance(error, _OF_PEERS) and bool(_SAYS_SO.search(str(error)))


def _explained(error: tf.errors.OpError, met: Met, watch: Watch) -> UserError:
    """What to end with after a sum over the machines failed."""
    silent = _UNHEALTHY.findall(str(error))  # for long enough: no news is to come
    if news := watch.news_within(0 if silent else _SECS_FOR_NEWS):
        return news
    named = silent or _TASK.findall(str(error))
    others = [int(rank) for rank in named if int(rank) != met.rank]
    if not others and met.rank:
        others = [0]  # all signs of life go through the chief
    if others:
        return watch.lost(others[0])
    return PeerError(f"the machines lost each other: {one_line(error)[:300]}")


@contextlib.contextmanager
def own_signals() -> Iterator[None]:
    """Puts SIGTERM back as it was: TensorFlow takes it as it connects machines."""
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
