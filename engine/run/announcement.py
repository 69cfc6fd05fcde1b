"""What a run says before its first step: its plan, and what its options amount to."""

import math
import sys

import numpy as np
from absl import logging

from checkpoints import plan_text
from common import terminal
from config.train_config import TrainConfig
from config.training.schedule_options import ScheduleOptions
from engine.batch_norm import recomputation
from engine.cluster import network_cost
from engine.feature_cache import cached_training
from engine.run import mixing_in
from engine.run.train_setup import Setup
from engine.step import class_weights, schedules


def announce(setup: Setup, config: TrainConfig) -> None:
    """Prints the plan, and logs batch sizes, epochs and learning rates."""
    print(plan_text.as_text(setup.start.plan), flush=True)
    dataset = setup.dataset
    if setup.split:
        savings = cached_training.savings_as_text(
            setup.split, dataset.num_examples, config
        )
        print(terminal.wrapped(savings, sys.stdout, indent=2), flush=True)
    if config.fine_tune.solves_head:
        _, *auxiliary = setup.network.head_scopes
        logging.info(
            "data: %d images in %d classes; the head is fitted by logistic regression"
            " in one step%s",
            *(dataset.num_examples, dataset.num_classes),
            f"; the auxiliary head {auxiliary[0]} is left unchanged"
            if auxiliary
            else "",
        )
    else:
        _announce_steps(setup, config)
    for line in config.ignored:
        logging.warning("%s", line)
    for line in setup.changes:
        logging.warning("changed since the last command in this folder: %s", line)


def _announce_steps(setup: Setup, config: TrainConfig) -> None:
    dataset, length = setup.dataset, setup.length
    logging.info(
        "data: %d images in %d classes; %s, %.1f steps per epoch",
        *(dataset.num_examples, dataset.num_classes),
        *(_images_per_step(config, setup), length.steps_per_epoch),
    )
    if not setup.cluster.is_alone:
        plan, shapes = setup.start.plan, setup.network.variable_shapes()
        names = [*plan.trained_names, *plan.updated_statistics]
        num_bytes = 4 * sum(math.prod(shapes[name]) for name in names)
        cost = network_cost.as_text(num_bytes, setup.cluster.size)
        logging.info("%s", cost)
    if setup.mixed_in:
        logging.info("%s", mixing_in.as_text(setup.mixed_in))
    schedule = schedules.as_text(config.schedule, length)
    logging.info("learning rate: %s", schedule)
    _warn_of_rate_that_does_not_fall(config.schedule)
    _warn_of_large_epsilon(config)
    logging.info("precision: %s", config.compute.precision)
    _announce_loss(setup, config)
    option = recomputation.resolved(config.fine_tune)
    recomputation.log_lag(setup.lag, option, setup.last_step)
    if setup.last_step is None:
        logging.info("no --max_number_of_steps: training until interrupted")
    else:
        epochs = setup.last_step / length.steps_per_epoch
        logging.info("training to step %d = %.1f epochs", setup.last_step, epochs)
        for flag in never_reached(config, epochs):
            logging.warning(
                "%s is not reached, since the run ends after %.1f epochs: lower it, or"
                " train longer",
                *(flag, epochs),
            )


def never_reached(config: TrainConfig, num_epochs: float) -> list[str]:
    """The flags that name an epoch which a run does not come to, with their values."""
    schedule = config.schedule
    late = [f"{e:g}" for e in schedule.decay_epochs if num_epochs <= e]
    unreached = [f"--learning_rate_decay_epochs={','.join(late)}"] if late else []
    for name, epochs in (
        ("warmup_epochs", schedule.warmup_epochs),
        ("mixed_in_after_epochs", config.train_data.mixed_in_after_epochs),
    ):
        if num_epochs <= epochs:
            unreached.append(f"--{name}={epochs:g}")
    return unreached


def _images_per_step(config: TrainConfig, setup: Setup) -> str:
    factors = [f"batch size {config.train_data.batch_size}"]
    if not setup.cluster.is_alone:
        factors.append(f"{setup.cluster.size} machines")
    if config.run.num_clones > 1:
        factors.append(f"{config.run.num_clones} clones")
    if (num_batches := config.optimizer.gradient_accumulation_steps) > 1:
        factors.append(f"{num_batches} accumulated")
    total = f" = {setup.images_per_step} images per step" if len(factors) > 1 else ""
    return f"{' × '.join(factors)}{total}"


def _warn_of_rate_that_does_not_fall(options: ScheduleOptions) -> None:
    """Warns of a polynomial schedule that rises, as slim's default end can have it."""
    rate, end = options.learning_rate, options.final_learning_rate
    if options.learning_rate_decay_type == "polynomial" and end >= rate:
        logging.warning(
            "the polynomial schedule does not fall from --learning_rate=%g to"
            " --end_learning_rate=%g: lower the latter",
            *(rate, end),
        )


def _warn_of_large_epsilon(config: TrainConfig) -> None:
    options = config.optimizer
    if options.optimizer == "adam" and options.opt_epsilon == 1.0:
        logging.warning(
            "adam with --opt_epsilon=1, slim's default, hardly moves the weights: where"
            " gradients are small, it divides by epsilon; 1e-8 is usual"
        )


def _announce_loss(setup: Setup, config: TrainConfig) -> None:
    """Logs class weights and the decay to the starting points, if any."""
    weights = class_weights.of_run(setup.dataset, config)
    if weights is not None:
        used = weights[weights > 0]
        logging.info(
            "class weights: %s, from %.3g to %.3g",
            *(config.loss.class_weights, np.min(used), np.max(used)),
        )
    if points := setup.start.plan.starting_points:
        logging.info(
            "starting-point decay: %g on %d variables, instead of weight decay",
            *(config.fine_tune.starting_point_decay, len(points)),
        )
