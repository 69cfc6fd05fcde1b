"""Training from start to end: build, restore, step, log, save, evaluate."""

import contextlib
import dataclasses
import functools
import time
from collections.abc import Iterator, Set

import tensorflow as tf
from absl import logging

from checkpoints import plan as plans
from checkpoints import shared_folder
from checkpoints.folder_lock import locked
from common.atomic_files import explained_errors
from config.train_config import TrainConfig
from datasets.records import record_faults
from engine import devices, inputs
from engine.batch_norm.recomputation import Recomputation
from engine.head import solved_head
from engine.interruption import Interruption, interruption
from engine.run import train_inputs, train_setup
from engine.run.background import BackgroundWriter
from engine.run.saver import Saver
from engine.run.summaries import TrainSummaries
from engine.run.train_log import TrainLog
from engine.run.train_setup import Setup
from engine.run.validation import Validation
from engine.step.train_state import TrainState
from engine.step.train_step import TrainFn, make_train_fn
from errors import NotFiniteError, UserError
from nets import nets_factory
from nets.network import Network

# A call of the training function lasts about so long, or one step: a signal waits for
# the call to end.
_SECS_PER_CALL = 1.0


@explained_errors()
def train(config: TrainConfig, *, given: Set[str] = frozenset()) -> int:
    """Trains a network as the options say.

    Args:
      config: the options.
      given: names of the flags that the user gave.

    Returns:
      The exit status: 0, or 128 + the number of the signal that ended the run.

    Raises:
      UserError: wrong input, found before the first step or in a record; the loss is
        not finite (`NotFiniteError`).
    """
    run = config.run
    shared_folder.require_own(run.train_dir, flag="train_dir")
    data = inputs.with_found_name(config.data, given)
    config = dataclasses.replace(config, data=data)
    strategy = devices.make_strategy(
        run.num_clones, on_cpu=run.clone_on_cpu, deterministic=run.deterministic
    )
    setup = train_setup.prepare(config, strategy)
    train_setup.describe(setup, config)
    if config.fine_tune.dry_run:
        return 0
    if setup.last_step is not None and setup.start.step >= setup.last_step:
        logging.info("nothing to do: step %d is done already", setup.start.step)
        return 0
    setup.folder.create(setup.record)
    with locked(run.train_dir), interruption(run.max_run_secs) as interrupted:
        setup.run_record.write(run.train_dir)
        state = train_setup.make_state(setup, config, strategy)
        own = train_inputs.make_inputs(setup, config)
        if setup.split and own.cache and config.fine_tune.solves_head:
            train_fn = solved_head.make_train_fn(state, setup.split, own.cache, config)
        else:
            train_fn = make_train_fn(state, strategy, config, own.run_network)
        iterator = devices.iterate(strategy, own.batches)
        recomputation = train_inputs.make_recomputation(setup, config, state, own)
        with BackgroundWriter() as writer, _explained_errors(setup, config):
            return _run_steps(
                *(setup, config, state, train_fn, iterator),
                *(recomputation, writer, interrupted),
            )


def _run_steps(
    setup: Setup,
    config: TrainConfig,
    state: TrainState,
    train_fn: TrainFn,
    iterator: Iterator,
    recomputation: Recomputation,
    writer: BackgroundWriter,
    interrupted: Interruption,
) -> int:
    """Steps until the last one, the end of patience, or an interruption; then saves.

    Returns:
      The exit status.
    """
    run = config.run
    log = TrainLog(setup.images_per_step)
    saver = Saver(
        *(setup.folder, state, run.save_interval_secs, writer),
        recomputation.statistics,
    )
    summaries = TrainSummaries(run.train_dir, state, run.save_summaries_secs, writer)
    validation = train_setup.make_validation(
        setup, config, state, recomputation, writer
    )
    sample_images = functools.partial(train_inputs.sample_images, setup, config)
    step = setup.start.step

    def is_finished() -> bool:
        no_gain = validation is not None and validation.should_stop
        return step == setup.last_step or no_gain

    while not is_finished() and not interrupted:
        num_steps = min(
            log.steps_in(_SECS_PER_CALL),
            *_steps_to_events(step, setup.last_step, run.log_every_n_steps, validation),
        )
        started_at = time.monotonic()
        totals = train_fn(iterator, tf.constant(num_steps))
        step = int(state.global_step.numpy())
        _check_finite(totals, step, saver)
        log.add(totals, started_at)

        is_last = step == setup.last_step
        if is_last or step % run.log_every_n_steps == 0:
            summaries.write_scalars(step, log.report(step))
        summaries.write_histograms_if_due(step, sample_images, now=is_last)
        # Before saving: a run killed in between comes back to this step.
        if validation and (is_last or validation.is_due(step)):
            with saver.naming_last_saved():
                results = validation.run()
            summaries.write_validation(step, validation.split_name, results)
        saver.save_if_due(step)
    saver.save(step, in_haste=not is_finished())
    writer.wait()
    summaries.close()
    if not is_finished():
        logging.info("interrupted at step %d: the same command goes on", step)
        if recomputation.is_due(step):
            logging.warning("batch norm: statistics as they are, which still lag")
        return interrupted.exit_status
    recomputation.warn_if_unsettled(step)
    best = f"; {validation.describe_best()}" if validation else ""
    logging.info("finished at step %d%s", step, best)
    return 0


@contextlib.contextmanager
def _explained_errors(setup: Setup, config: TrainConfig) -> Iterator[None]:
    """Turns what fails in a step into an error that says what to mend."""
    try:
        yield
    except tf.errors.ResourceExhaustedError as error:
        raise UserError(
            f"out of memory with --batch_size={config.train_data.batch_size}: lower it"
            " and raise --gradient_accumulation_steps as much, or lower"
            " --train_image_size"
        ) from error
    except record_faults.READ_ERRORS as error:
        raise record_faults.explain(
            setup.dataset, error, labels_offset=config.data.labels_offset
        ) from error


def _steps_to_events(
    step: int, last_step: int | None, log_every: int, validation: Validation | None
) -> list[int]:
    """Steps from here to each thing that must happen at a step of its own."""
    to_events = [log_every - step % log_every]
    if last_step is not None:
        to_events.append(last_step - step)
    if validation:
        to_events.append(validation.every_n_steps - step % validation.every_n_steps)
    return to_events


def _check_finite(totals: dict[str, tf.Tensor], step: int, saver: Saver) -> None:
    loss, rate = float(totals["last_loss"]), float(totals["learning_rate"])
    if not tf.math.is_finite(loss):
        raise NotFiniteError(
            f"the loss is {loss} at step {step}, learning rate {rate:g}: lower"
            f" --learning_rate or raise --opt_epsilon; {saver.last_saved()}"
        )


def list_scopes(model_name: str) -> None:
    """Prints the scopes of a net with their parameters, for 1000 classes."""
    network = Network(model_name, num_classes=1000)
    print(plans.describe_scopes(network.variable_shapes()))
    head = ",".join(nets_factory.get_entry(model_name).head_scopes)
    print(f"`head` stands for {head}; parameters are counted for 1000 classes")
