"""Training from start to end: build, restore, step, log, save, evaluate."""

import contextlib
import dataclasses
import time
from collections.abc import Iterator, Set

import tensorflow as tf
from absl import logging

from checkpoints import plan_text, shared_folder
from checkpoints.folder_lock import locked
from common.atomic_files import explained_errors
from config.train_config import TrainConfig
from datasets.records import record_faults
from engine import devices, inputs
from engine.interruption import Interruption, interruption
from engine.run import train_setup, training
from engine.run.background import BackgroundWriter
from engine.run.saver import Saver
from engine.run.train_setup import Setup
from engine.run.training import Training
from engine.run.validation import Validation
from errors import NotFiniteError, UserError
from nets import nets_factory
from nets.network import Network

# A call of the training function lasts about so long, or one step: a signal waits for
# the call to end.
_SECS_PER_CALL = 1.0
_SECS_BETWEEN_LINES = 5.0  # at least, where --log_every_n_steps is not given


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
    train_setup.announce(setup, config)
    if config.fine_tune.dry_run:
        return 0
    if setup.last_step is not None and setup.start.step >= setup.last_step:
        logging.info("nothing to do: step %d is already done", setup.start.step)
        return 0
    setup.folder.create(setup.record)
    limit = Interruption(run.max_run_secs)
    with locked(run.train_dir), BackgroundWriter() as writer:
        setup.run_record.write(run.train_dir)
        wants_every = "log_every_n_steps" in given
        # A signal ends this at once: a feature cache keeps the rows that it has.
        built = training.build(
            *(setup, config, strategy, writer),
            secs_between_lines=0.0 if wants_every else _SECS_BETWEEN_LINES,
        )
        with interruption(limit) as interrupted, explained_step_errors(setup, config):
            take_steps(built, config, interrupted)
            return _finish(built, interrupted)


def take_steps(
    training: Training, config: TrainConfig, interrupted: Interruption
) -> None:
    """Steps until the last one, until patience runs out, or until interrupted.

    Args:
      training: the run, built; a later call goes on from where this one ends.
      config: the options.
      interrupted: what may end it early.

    Raises:
      UserError: the loss is not finite (`NotFiniteError`), or a file cannot be written.
    """
    log, saver, summaries = training.log, training.saver, training.summaries
    validation, last_step = training.validation, training.setup.last_step
    step, log_every = training.step, config.run.log_every_n_steps
    log.show_start()
    while not training.is_finished and not interrupted:
        num_steps = min(
            log.steps_in(_SECS_PER_CALL),
            *_steps_to_events(step, last_step, log_every, validation),
        )
        started_at = time.monotonic()
        totals = training.train_fn(training.batches, tf.constant(num_steps))
        step = training.step
        _check_finite(totals, step, saver)
        log.add(totals, started_at)

        is_last = step == last_step
        if is_last or step % log_every == 0:
            summaries.write_scalars(step, log.report(step))
        summaries.write_histograms_if_due(step, training.sample_images, now=is_last)
        # Evaluate before saving: a run killed in between comes back to this step.
        if validation and (is_last or validation.is_due(step)):
            with saver.naming_last_saved():
                results = validation.run()
            summaries.write_validation(step, validation.split_name, results)
        saver.save_if_due(step)


def _finish(training: Training, interrupted: Interruption) -> int:
    """Saves and says how the run ended; the exit status.

    That of a signal even where the run is finished: what would follow is not wanted.
    """
    step = training.step
    training.saver.save(step, in_haste=not training.is_finished)
    training.writer.wait()
    training.summaries.close()
    if training.is_finished:
        _report_end(training, step)
        return interrupted.exit_status if interrupted.signal_number else 0
    logging.info("interrupted at step %d: the same command continues the run", step)
    if training.recomputation.is_due(step):
        logging.warning("batch norm: the statistics saved are those that still lag")
    return interrupted.exit_status


def _report_end(training: Training, step: int) -> None:
    training.recomputation.warn_if_unsettled(step)
    validation = training.validation
    best = f"; {validation.describe_best()}" if validation else ""
    logging.info("finished at step %d%s", step, best)


@contextlib.contextmanager
def explained_step_errors(setup: Setup, config: TrainConfig) -> Iterator[None]:
    """Turns what fails in a step into an error that says what to do about it."""
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
    print(plan_text.scopes_as_text(network.variable_shapes()))
    head = ",".join(nets_factory.get_entry(model_name).head_scopes)
    print(f"`head` stands for {head}; parameters are counted for 1000 classes")
