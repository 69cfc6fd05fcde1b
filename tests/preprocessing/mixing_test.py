"""Mixup and CutMix: what images and labels must have in common."""

import numpy as np
import pytest
import tensorflow as tf

from preprocessing import mixing

_SEED = tf.constant([3, 8], tf.int64)


def _batch(count, size=(6, 10)):
    """Image i is all i; its label is one-hot i."""
    images = np.broadcast_to(
        np.arange(count, dtype=np.float32)[:, None, None, None], [count, *size, 3]
    )
    return tf.constant(images), tf.eye(count)


def _parts(labels):
    """Each image's own share, and the place of the other (its own where pure)."""
    labels = labels.numpy()
    own = np.diag(labels).copy()
    rest = labels - np.diag(own)
    other = np.where(rest.any(axis=1), rest.argmax(axis=1), np.arange(len(own)))
    return own, other


@pytest.mark.parametrize("method", [mixing.mixup, mixing.cutmix])
def test_labels_say_what_the_images_hold(method):
    images, labels = _batch(16)
    mixed, mixed_labels = method(images, labels, _SEED)
    np.testing.assert_allclose(tf.reduce_sum(mixed_labels, 1), np.ones(16), rtol=1e-6)
    # The mean of image i is i, so a row of labels gives the mean of the mixture.
    np.testing.assert_allclose(
        tf.reduce_mean(mixed, [1, 2, 3]),
        tf.linalg.matvec(mixed_labels, tf.range(16.0)),
        rtol=1e-4,
    )
    own, other = _parts(mixed_labels)
    assert sorted(other[own < 1]) == sorted(set(other[own < 1]))  # each once
    assert (own < 1).sum() > 8


def test_mixup_blends_evenly():
    images, labels = _batch(16)
    mixed, mixed_labels = mixing.mixup(images, labels, _SEED)
    own, other = _parts(mixed_labels)
    expected = own * np.arange(16) + (1 - own) * other
    np.testing.assert_allclose(
        mixed, np.broadcast_to(expected[:, None, None, None], mixed.shape), rtol=1e-5
    )


def test_cutmix_pastes_one_rectangle():
    images, labels = _batch(32, (20, 30))
    mixed, mixed_labels = mixing.cutmix(images, labels, _SEED)
    own, other = _parts(mixed_labels)
    pasted = mixed.numpy()[..., 0] != np.arange(32)[:, None, None]
    for i in range(32):
        if own[i] == 1:
            continue
        rows, columns = pasted[i].any(axis=1), pasted[i].any(axis=0)
        assert pasted[i].sum() == rows.sum() * columns.sum()
        assert own[i] == pytest.approx(1 - pasted[i].mean())
        assert (mixed.numpy()[i][pasted[i]] == other[i]).all()


@pytest.mark.parametrize("method", [mixing.mixup, mixing.cutmix])
@pytest.mark.parametrize("alpha", [0.2, 1.0])
def test_shares_follow_the_beta_distribution(method, alpha):
    images, labels = _batch(1000, (32, 32))
    _, mixed_labels = method(images, labels, _SEED, alpha)
    own, _ = _parts(mixed_labels)
    if method is mixing.mixup:
        assert abs(own.mean() - 0.5) < 0.05
        assert abs(own.var() - 0.25 / (2 * alpha + 1)) < 0.02
    else:  # the rectangle is cut off at the border, so that more is left
        assert 0.5 < own.mean() < 0.8


@pytest.mark.parametrize(
    ("alphas", "expected"),
    [
        ((0.0, 0.0), "same"),
        ((0.2, 0.0), "mixup"),
        ((0.0, 1.0), "cutmix"),
    ],
)
def test_mix_with_one_or_none(alphas, expected):
    images, labels = _batch(16)
    mixed, mixed_labels = mixing.mix(images, labels, _SEED, *alphas)
    evenly = tf.reduce_all(mixed == mixed[:, :1, :1, :1]).numpy()
    same = tf.reduce_all(mixed_labels == labels).numpy()
    assert (evenly, same) == {
        "same": (True, True),
        "mixup": (True, False),
        "cutmix": (False, False),
    }[expected]


def test_mix_takes_either_as_often():
    images, labels = _batch(8)

    @tf.function
    def is_mixup(seed):
        mixed, _ = mixing.mix(images, labels, seed, 0.2, 1.0)
        return tf.reduce_all(mixed == mixed[:, :1, :1, :1])

    share = np.mean([bool(is_mixup(tf.constant([i, 1]))) for i in range(200)])
    assert abs(share - 0.5) < 0.12


@pytest.mark.parametrize("method", [mixing.mixup, mixing.cutmix])
def test_the_seed_alone_decides(method):
    images, labels = _batch(8)
    one, again = (method(images, labels, _SEED)[0] for _ in range(2))
    np.testing.assert_array_equal(one, again)
    other, _ = method(images, labels, _SEED + 1)
    assert np.abs(one - other).max() > 0.1


@pytest.mark.parametrize("method", [mixing.mixup, mixing.cutmix])
def test_batches_of_unknown_size_in_tf_data(method):
    images, labels = _batch(5)
    dataset = tf.data.Dataset.from_tensor_slices((images, labels)).batch(4)
    dataset = dataset.map(lambda x, y: method(x, y, _SEED))
    assert dataset.element_spec[0].shape.as_list() == [None, 6, 10, 3]
    assert [x.shape[0] for x, _ in dataset] == [4, 1]
