"""Training from start to finish: prepare, build, then step, log, evaluate, save."""

import contextlib
import dataclasses
import functools
import time
from collections.abc import Iterator, Set

import tensorflow as tf
from absl import logging

from checkpoints import plan_text, shared_folder
from checkpoints.folder_lock import locked
from cluster.cluster import ALONE, Cluster
from cluster.meeting import Met
from common.atomic_files import explained_errors
from config.shared_options import ModelOptions
from config.train_config import TrainConfig
from datasets.records import record_faults
from engine import devices, inputs
from engine.cluster import common_facts, joining
from engine.interruption import Interruption, interruption
from engine.run import announcement, train_inputs, train_setup, training
from engine.run.background import BackgroundWriter
from engine.run.train_setup import Setup
from engine.run.training import Training
from errors import NotFiniteError, UserError
from nets.network import Network
from nets.new_head import NewHead

# Each call of the training function runs as many steps as fit into this time, but at
# least one. A signal takes effect when the call returns.
_SECS_PER_CALL = 1.0
# Minimum time between two log lines, unless --log_every_n_steps is given.
_SECS_BETWEEN_LINES = 5.0


@explained_errors()
def train(config: TrainConfig, *, given: Set[str] = frozenset()) -> int:
    """Trains a network.

    Args:
      config: the options.
      given: names of the flags on the command line.

    Returns:
      The exit status: 0, or 128 + the number of the signal that ended the run.

    Raises:
      UserError: the flags, the data or a checkpoint are unusable.
      NotFiniteError: the loss or a variable is not finite.
    """
    shared_folder.require_own(config.run.train_dir, flag="train_dir")
    data = inputs.with_found_name(config.data, given)
    cluster = joining.find(config.cluster)
    config = dataclasses.replace(config, data=data)
    is_cached = config.feature_cache.feature_cache != "off"
    config = config.for_machines(1 if is_cached else cluster.size)
    if config.schedule.find_learning_rate:
        cluster.require_alone("--find_learning_rate runs")
    if config.feature_cache.feature_cache == "memory":
        cluster.require_alone(
            "--feature_cache=memory, unlike disk in a folder that all share, works"
        )
    facts = functools.partial(common_facts.of_training, config)
    with joining.joined(
        *(cluster, config.cluster, facts, common_facts.REMEDIES),
        train_dir=None if config.fine_tune.dry_run else config.run.train_dir,
        in_step=not is_cached,
    ) as met:
        # All fill a feature cache, and the chief, who trains on it, is quick enough.
        if is_cached:
            return _train_on(ALONE, None, config, given, filled_by=cluster)
        return _train_on(cluster, met, config, given)


def _train_on(
    cluster: Cluster,
    met: Met | None,
    config: TrainConfig,
    given: Set[str],
    filled_by: Cluster = ALONE,
) -> int:
    """Trains on machines that have met; see `train`."""
    run = config.run
    devices.choose_kernels(config.compute)
    strategy = devices.make_strategy(
        run.num_clones,
        on_cpu=run.clone_on_cpu,
        deterministic=run.deterministic,
        met=met,
        heartbeat_secs=config.cluster.cluster_heartbeat_secs,
    )
    setup = train_setup.prepare(config, strategy, cluster, filled_by)
    if cluster.is_chief and filled_by.is_chief:
        announcement.announce(setup, config)
    if config.fine_tune.dry_run:
        return 0
    if config.schedule.find_learning_rate:
        from engine import rate_finder  # imports matplotlib, which is slow

        with explained_step_errors(setup, config):
            rate_finder.find(setup, config, strategy)
        return 0
    if setup.last_step is not None and setup.start.step >= setup.last_step:
        logging.info("nothing to do: step %d is already done", setup.start.step)
        return 0
    if not filled_by.is_chief:
        train_inputs.fill_share(setup, config, strategy)
        return 0
    limit = Interruption(run.max_run_secs)
    with _own_folder(setup, run.train_dir), BackgroundWriter() as writer:
        logs_every_report = "log_every_n_steps" in given
        # No signal handlers yet, so Ctrl-C ends the build at once. Nothing is lost: a
        # feature cache on disk keeps the rows it has.
        built = training.build(
            setup,
            config,
            strategy,
            writer,
            secs_between_lines=0.0 if logs_every_report else _SECS_BETWEEN_LINES,
        )
        with interruption(limit) as interrupted, explained_step_errors(setup, config):
            take_steps(built, config, interrupted)
            return _finish(built, interrupted)


@contextlib.contextmanager
def _own_folder(setup: Setup, train_dir: str) -> Iterator[None]:
    """Holds the run's folder inside, on the chief, the only one that writes to it."""
    if not setup.cluster.is_chief:
        yield
        return
    setup.folder.create(setup.model_info)
    with locked(train_dir):
        setup.run_info.write(train_dir)
        yield


def take_steps(run: Training, config: TrainConfig, interrupted: Interruption) -> None:
    """Trains until the last step, until patience runs out, or until interrupted.

    Args:
      run: the run; another call continues where this one stops.
      config: the options.
      interrupted: true once the run is to end early.

    Raises:
      NotFiniteError: the loss or a variable is not finite.
      UserError: a file cannot be written.
    """
    log, saver, summaries = run.log, run.saver, run.summaries
    validation, last_step = run.validation, run.setup.last_step
    log_every = config.run.log_every_n_steps
    log.show_start()
    num_steps, _ = _agree(run, log_every, interrupted)
    while not run.is_finished and not run.agreement.is_over(interrupted):
        started_at = time.monotonic()
        totals = run.train_fn(run.batches, tf.constant(num_steps))
        _check_finite(totals, run)
        log.add(totals, started_at)

        step = run.step
        is_last = step == last_step
        if is_last or step % log_every == 0:
            summaries.write_scalars(step, log.report(step))
        summaries.write_histograms_if_due(step, run.sample_images, now=is_last)
        # Evaluate before saving: if the run is killed in between, it resumes from an
        # earlier step and evaluates this one again.
        if validation and (is_last or validation.is_due(step)):
            with saver.naming_last_saved():
                results = validation.run(is_last=is_last)
            summaries.write_validation(step, validation.split_name, results)
        num_steps, saves = _agree(run, log_every, interrupted)
        if saves:
            saver.save(step)


def _agree(
    run: Training, log_every: int, interrupted: Interruption
) -> tuple[int, bool]:
    """How many steps come next, and whether to save now, the same on all machines."""
    steps_in_time = run.log.steps_in(_SECS_PER_CALL)
    return run.agreement.reach(
        min(steps_in_time, _steps_to_next_event(run, log_every)),
        interrupted,
        save_is_due=run.saver.is_due,
    )


def _steps_to_next_event(run: Training, log_every: int) -> int:
    """Number of steps until a report, an evaluation or the end of the run is due.

    Checkpoints are saved by the clock, so they are not among these events.
    """
    step, last_step = run.step, run.setup.last_step
    to_events = [log_every - step % log_every]
    if last_step is not None:
        to_events.append(last_step - step)
    if validation := run.validation:
        to_events.append(validation.every_n_steps - step % validation.every_n_steps)
    return min(to_events)


def _check_finite(totals: dict[str, tf.Tensor], run: Training) -> None:
    loss, rate = float(totals["last_total_loss"]), float(totals["learning_rate"])
    if not tf.math.is_finite(loss):
        raise NotFiniteError(
            f"the total loss is {loss} at step {run.step}, learning rate {rate:g}:"
            " lower --learning_rate or raise --opt_epsilon;"
            f" {run.saver.last_saved()}"
        )


def _finish(run: Training, interrupted: Interruption) -> int:
    """Saves, logs how the run ended, and returns the exit status.

    After a signal the exit status is 128 + its number even if the run is finished, so
    that a script that was asked to stop does not continue with its next command.
    """
    step = run.step
    run.saver.save(step, recompute_statistics=run.is_finished)
    run.writer.wait()
    # Nobody leaves before all is written: launchers end the rest when one task ends.
    run.agreement.reach(1, interrupted, save_is_due=False)
    run.summaries.close()
    if run.is_finished:
        _report_end(run, step)
        return interrupted.exit_status if interrupted.signal_number else 0
    logging.info("interrupted at step %d: the same command continues the run", step)
    if run.recomputation.is_due(step):
        logging.warning(
            "batch norm: the statistics were saved without recomputing them and lag"
            " behind the weights"
        )
    return interrupted.exit_status


def _report_end(run: Training, step: int) -> None:
    run.recomputation.warn_if_unsettled(step)
    validation = run.validation
    best = f"; {validation.best_as_text()}" if validation else ""
    logging.info("finished at step %d%s", step, best)


@contextlib.contextmanager
def explained_step_errors(setup: Setup, config: TrainConfig) -> Iterator[None]:
    """Turns failures of a step into errors that say what to do about them."""
    try:
        yield
    except tf.errors.ResourceExhaustedError as error:
        raise UserError(
            f"out of memory with --batch_size={config.train_data.batch_size}: lower it"
            " and raise --gradient_accumulation_steps by the same factor, or lower"
            " --train_image_size"
        ) from error
    except record_faults.READ_ERRORS as error:
        if joining.is_of_peers(error):
            raise
        raise record_faults.explain(
            setup.all_read, error, labels_offset=config.data.labels_offset
        ) from error


def list_scopes(model: ModelOptions) -> None:
    """Prints the scopes of a net with their parameter counts, for 1000 classes."""
    head = NewHead(model.final_endpoint, model.hidden_units)
    network = Network(model.model_name, num_classes=1000, head=head, draw_weights=False)
    print(plan_text.scopes_as_text(network.variable_shapes()))
    head_scopes = ",".join(network.head_scopes)
    print(f"`head` stands for {head_scopes}; parameters are counted for 1000 classes")
