"""slim's walk through Inception V1, on digits: data, training, restoring, evaluation.

As its users have it, it is written against tf_slim and this project's modules, by
slim's names, and builds graphs.
"""

import os

import tensorflow.compat.v1 as tf
import tf_slim as slim
from sklearn.datasets import load_digits

from datasets import dataset_utils, mnist
from nets import inception
from preprocessing import inception_preprocessing

SIDE = 32
BATCH = 20
NUM_TEST = 60
HEAD = "InceptionV1/Logits"


def write_digits(folder, digits=(0, 1, 7)):
    """Images of a few digits as slim's MNIST, `NUM_TEST` of them for testing."""
    data = load_digits()
    chosen = [
        (image, label)
        for image, label in zip(data.images, data.target.tolist(), strict=True)
        if label in digits
    ]
    for split, part in (("test", chosen[:NUM_TEST]), ("train", chosen[NUM_TEST:])):
        with tf.io.TFRecordWriter(f"{folder}/mnist_{split}.tfrecord") as writer:
            for image, label in part:
                pixels = (image * 15).astype("uint8").repeat(3, 0).repeat(3, 1)
                png = tf.io.encode_png(pixels[:, :, None]).numpy()
                example = dataset_utils.image_to_tfexample(png, b"png", 24, 24, label)
                writer.write(example.SerializeToString())


def load_batch(dataset, is_training):
    """Images and labels of a batch."""
    provider = slim.dataset_data_provider.DatasetDataProvider(
        dataset, shuffle=is_training, common_queue_capacity=40, common_queue_min=20
    )
    image, label = provider.get(["image", "label"])
    image = inception_preprocessing.preprocess_image(image, SIDE, SIDE)
    return tf.train.batch([image, label], batch_size=BATCH, capacity=2 * BATCH)


def build(dataset, is_training):
    """Logits and labels of a batch."""
    images, labels = load_batch(dataset, is_training)
    with slim.arg_scope(inception.inception_v1_arg_scope(batch_norm_decay=0.7)):
        logits, _ = inception.inception_v1(
            images, num_classes=dataset.num_classes, is_training=is_training
        )
    return logits, labels


def train(folder, train_dir, steps, rate, checkpoint_path=None):
    """Trains, from a checkpoint where one is named; the losses of every step."""
    losses = []

    def step(session, *arguments):
        loss, should_stop = slim.learning.train_step(session, *arguments)
        losses.append(float(loss))
        return loss, should_stop

    with tf.Graph().as_default():
        tf.set_random_seed(1)
        logits, labels = build(mnist.get_split("train", folder), is_training=True)
        slim.losses.softmax_cross_entropy(logits, slim.one_hot_encoding(labels, 10))
        total_loss = slim.losses.get_total_loss()
        tf.summary.scalar("losses/total_loss", total_loss)
        first_layer = slim.get_unique_variable("InceptionV1/Conv2d_1a_7x7/weights")
        train_op = slim.learning.create_train_op(
            total_loss,
            tf.train.AdamOptimizer(rate),
            clip_gradient_norm=5.0,
            gradient_multipliers={first_layer: 0.5, f"{HEAD}/Conv2d_0c_1x1/biases": 2},
            summarize_gradients=True,
        )
        init_fn = None
        if checkpoint_path:
            init_fn = slim.assign_from_checkpoint_fn(
                checkpoint_path, slim.get_model_variables("InceptionV1")
            )
        slim.learning.train(
            train_op,
            train_dir,
            train_step_fn=step,
            init_fn=init_fn,
            number_of_steps=steps,
            log_every_n_steps=1,
            save_summaries_secs=1,
        )
    return losses


def evaluate(folder, checkpoint_dir, log_dir):
    """The figures of the newest checkpoint, evaluated once and in a loop."""
    with tf.Graph().as_default():
        logits, labels = build(mnist.get_split("test", folder), is_training=False)
        values, updates = slim.metrics.aggregate_metric_map(
            {
                "Accuracy": slim.metrics.streaming_accuracy(
                    tf.argmax(logits, 1), labels
                ),
                "Recall_5": slim.metrics.streaming_recall_at_k(logits, labels, 5),
            }
        )
        for name, value in values.items():
            tf.summary.scalar(f"eval/{name}", value)
        options = {
            "num_evals": NUM_TEST // BATCH,
            "eval_op": list(updates.values()),
            "final_op": values,
        }
        once = slim.evaluation.evaluate_once(
            "", tf.train.latest_checkpoint(checkpoint_dir), log_dir, **options
        )
        loop = slim.evaluation.evaluation_loop(
            "", checkpoint_dir, log_dir, max_number_of_evaluations=1, **options
        )
    return once, loop


def test_the_walk(tmp_path):
    write_digits(tmp_path)
    folder = str(tmp_path)
    runs = [os.path.join(folder, name) for name in ("first", "second")]
    losses = train(folder, runs[0], steps=40, rate=0.003)
    assert len(losses) == 40
    assert losses[-1] < losses[0] / 2

    source = tf.train.latest_checkpoint(runs[0])
    restored_losses = train(folder, runs[1], 15, 0.0003, source)
    assert restored_losses[0] < losses[0] / 2

    values, loop_values = evaluate(folder, runs[1], os.path.join(folder, "eval"))
    assert values == loop_values
    assert values["Accuracy"] > 0.6  # one of three digits by chance
    assert values["Recall_5"] >= values["Accuracy"]
