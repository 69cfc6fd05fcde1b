"""Everything a training run works with, built once before the first step."""

import dataclasses
from collections.abc import Callable, Iterator

import tensorflow as tf

from config.train_config import TrainConfig
from engine import devices
from engine.batch_norm.recomputation import Recomputation
from engine.cluster.agreement import Agreement, agreement_of
from engine.head import solved_head
from engine.run import train_inputs, train_setup
from engine.run.background import BackgroundWriter
from engine.run.saver import Saver
from engine.run.summaries import NoSummaries, TrainSummaries
from engine.run.train_inputs import Inputs
from engine.run.train_log import TrainLog
from engine.run.train_setup import Setup
from engine.run.validation import Validation
from engine.step import class_weights, train_step
from engine.step.train_state import TrainState
from engine.step.train_step import TrainFn


@dataclasses.dataclass(frozen=True)
class Training:
    """A run with its weights restored and its data opened.

    Attributes:
      setup: what was decided about the run.
      state: what the steps change.
      train_fn: runs several steps, see `train_step.make_train_fn`.
      batches: the iterator for `train_fn`, starting with the run's next step.
      recomputation: recomputes batch-norm statistics.
      log: prints the lines on the terminal.
      summaries: writes the events for TensorBoard.
      sample_images: see `Inputs`.
      validation: evaluates `--eval_split_name`; None without one.
      saver: writes the run's checkpoints.
      writer: the thread that writes files.
      agreement: with the other machines.
    """

    setup: Setup
    state: TrainState
    train_fn: TrainFn
    batches: Iterator
    recomputation: Recomputation
    log: TrainLog
    summaries: TrainSummaries | NoSummaries
    sample_images: Callable[[int], tf.Tensor]
    validation: Validation | None
    saver: Saver
    writer: BackgroundWriter
    agreement: Agreement

    @property
    def step(self) -> int:
        """The number of steps done."""
        return int(self.state.global_step.numpy())

    @property
    def is_finished(self) -> bool:
        """Whether the last step is done, or patience has run out."""
        stops_early = self.validation is not None and self.validation.should_stop
        return self.step == self.setup.last_step or stops_early


def build(
    setup: Setup,
    config: TrainConfig,
    strategy: tf.distribute.Strategy,
    writer: BackgroundWriter,
    *,
    secs_between_lines: float = 0.0,
) -> Training:
    """Restores the weights, fills the feature cache, if any, and opens the data.

    Nothing is compiled yet.

    Args:
      setup: what was decided about the run.
      config: the options.
      strategy: the devices.
      writer: the thread that will write files.
      secs_between_lines: see `TrainLog` and `Validation`.

    Raises:
      UserError: a record cannot be read, or a file cannot be written.
    """
    agreement = agreement_of(strategy, setup.cluster)
    state = train_setup.restored_state(setup, config, strategy)
    inputs = train_inputs.make_inputs(setup, config, state)
    train_fn = make_train_fn(setup, config, strategy, state, inputs)
    recomputation = train_inputs.make_recomputation(setup, config, state, inputs)
    validation = train_setup.make_validation(
        setup,
        config,
        state,
        recomputation=recomputation,
        writer=writer,
        agreement=agreement,
        secs_between_lines=secs_between_lines,
    )
    return Training(
        setup=setup,
        state=state,
        train_fn=train_fn,
        batches=devices.iterate(strategy, inputs.batches),
        recomputation=recomputation,
        log=TrainLog(
            setup.images_per_step,
            step=setup.start.step,
            last_step=setup.last_step,
            secs_between_lines=secs_between_lines,
        ),
        summaries=_make_summaries(setup, config, state, writer),
        sample_images=inputs.sample_images,
        validation=validation,
        saver=Saver(
            setup.folder,
            state,
            config.run.save_interval_secs,
            writer,
            recomputation.statistics,
            writes=setup.cluster.is_chief,
        ),
        writer=writer,
        agreement=agreement,
    )


def _make_summaries(
    setup: Setup, config: TrainConfig, state: TrainState, writer: BackgroundWriter
) -> TrainSummaries | NoSummaries:
    if not setup.cluster.is_chief:
        return NoSummaries()
    run = config.run
    return TrainSummaries(
        *(run.train_dir, state, run.save_summaries_secs, writer),
        images_tag=train_inputs.samples_tag(setup, config),
        # Solving a head changes no output of the layers before it.
        outputs=run.summarize_sparsity or not config.fine_tune.solves_head,
        sparsity=run.summarize_sparsity,
    )


def make_train_fn(
    setup: Setup,
    config: TrainConfig,
    strategy: tf.distribute.Strategy,
    state: TrainState,
    inputs: Inputs,
) -> TrainFn:
    """The function that trains, or that solves the head in a single step.

    Args:
      setup: what was decided about the run.
      config: the options.
      strategy: the devices.
      state: what the steps change.
      inputs: the training batches.
    """
    if setup.split and inputs.cache and config.fine_tune.solves_head:
        return solved_head.make_train_fn(state, setup.split, inputs.cache, config)
    weights = class_weights.of_run(setup.dataset, config)
    return train_step.make_train_fn(
        state, strategy, config, inputs.run_network, weights
    )
