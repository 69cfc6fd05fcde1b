"""The optimum is the optimum, however it is reached, and fits as a head."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize, special
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegressionCV
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from engine.head import linear_classifier, logistic_regression


def blobs(num_examples, num_features, num_classes, seed=0, spread=1.0):
    """Gaussian clouds, one a class: features float32 and labels."""
    rng = np.random.default_rng(seed)
    labels = np.arange(num_examples) % num_classes
    centres = rng.normal(0, 2, (num_classes, num_features))
    noise = rng.normal(0, spread, (num_examples, num_features))
    return np.float32(centres[labels] + noise), labels


@pytest.mark.parametrize("num_features", [3, 40])  # fewer than examples, and more
def test_it_minimises_what_it_says(num_features):
    features, labels = blobs(24, num_features, 3, spread=3.0)
    classifier, choice = logistic_regression.fit(features, labels, 3)
    mean = features.mean(0, dtype=np.float64)
    deviation = features.std(0, dtype=np.float64)

    def objective(flat):
        weights, biases = flat[:-3].reshape(num_features, 3), flat[-3:]
        logits = (features - mean) / deviation @ weights + biases
        losses = special.logsumexp(logits, 1) - logits[np.arange(24), labels]
        return losses.sum() + (weights**2).sum() / (2 * choice.strength)

    found = optimize.minimize(
        objective, np.zeros(3 * num_features + 3), options={"gtol": 1e-7}
    )
    of_scaled = classifier.weights.astype(float) * deviation[:, None]
    biases = classifier.biases + mean @ classifier.weights
    reached = objective(np.concatenate([of_scaled.ravel(), biases]))
    assert reached == pytest.approx(found.fun, rel=1e-4)


def test_two_classes_are_a_logit_each():
    features, labels = blobs(40, 5, 2)
    classifier, _ = logistic_regression.fit(features, labels, 2)
    assert classifier.weights.shape == (5, 2)
    np.testing.assert_allclose(classifier.weights[:, 0], -classifier.weights[:, 1])
    assert classifier.accuracy(features, labels) == 1


def test_a_class_without_examples_is_never_answered():
    features, labels = blobs(40, 5, 2)
    classifier, _ = logistic_regression.fit(features, labels * 2 + 1, 5)
    assert set(classifier.logits(features).argmax(1)) <= {1, 3}
    shares = special.softmax(classifier.logits(features), 1)
    assert shares[:, [0, 2, 4]].max() < 1e-4


def test_a_class_of_one_example_is_learnt():
    features, labels = blobs(21, 6, 2)
    labels = np.where(np.arange(21) == 20, 2, labels)
    features[20] += 30
    classifier, choice = logistic_regression.fit(features, labels, 3)
    assert classifier.accuracy(features, labels) == 1
    assert choice.accuracy == pytest.approx(20 / 21, abs=0.02)  # it is held out once


def test_one_example_a_class_gives_no_folds_and_a_classifier_all_the_same():
    features, labels = blobs(4, 6, 4)
    classifier, choice = logistic_regression.fit(features, labels, 4)
    assert choice.num_examples == 0
    assert np.isnan(choice.accuracy)
    assert np.isnan(choice.standard_error)
    assert classifier.accuracy(features, labels) == 1


@pytest.mark.filterwarnings("error:The number of unique classes")
def test_as_many_classes_as_half_the_examples_are_no_cause_for_a_warning():
    labels = np.repeat(np.arange(12), 2)[3:]
    features = np.random.default_rng(0).normal(size=(len(labels), 3))
    classifier, _ = logistic_regression.fit(features, labels, 12)
    assert classifier.weights.shape == (3, 12)
    assert classifier.logits(features).shape == (len(labels), 12)


def test_features_that_do_not_vary_do_no_harm():
    features, labels = blobs(30, 6, 3)
    features[:, 2] = 7.0
    features[:, 3] = 5.0 + 1e-6 * features[:, 3]
    classifier, _ = logistic_regression.fit(features, labels, 3)
    assert np.isfinite(classifier.weights).all()
    # Blown up to the deviation of the others its weights would be a million times
    # theirs; the floor holds them to a few times at most.
    ours, others = np.abs(classifier.weights[3]), np.abs(classifier.weights[[0, 1]])
    assert ours.max() < 4 * others.max()
    assert classifier.accuracy(features, labels) > 0.9


def test_all_features_constant_gives_the_largest_class():
    labels = np.array([0, 1, 1, 1, 0, 1])
    classifier, _ = logistic_regression.fit(np.ones((6, 3), np.float32), labels, 2)
    assert set(classifier.logits(np.ones((2, 3), np.float32)).argmax(1)) == {1}


def test_the_error_is_that_of_a_share():
    choice = linear_classifier.CrossValidation(1.0, 0.8, 100)
    assert choice.standard_error == pytest.approx(0.04)


def test_the_sample_that_chooses_the_penalty_is_bounded(monkeypatch):
    monkeypatch.setattr(logistic_regression, "MAX_EXAMPLES_TO_CHOOSE", 30)
    seen = []
    path = logistic_regression._path

    def counted(features, labels, strengths):
        seen.append((len(labels), len(strengths)))
        return path(features, labels, strengths)

    monkeypatch.setattr(logistic_regression, "_path", counted)
    features, labels = blobs(100, 4, 3)
    logistic_regression.fit(features, labels, 3)
    assert {n for n, strengths in seen if strengths > 1} == {24}  # 4 folds of 5
    assert seen[-1] == (100, 1)


@settings(max_examples=15, deadline=None)
@given(st.integers(4, 40), st.integers(1, 30), st.integers(2, 4), st.integers(0, 1000))
def test_any_shapes_give_a_finite_classifier(examples, features, classes, seed):
    x, y = blobs(examples, features, min(classes, examples), seed, spread=2.0)
    classifier, choice = logistic_regression.fit(x, y, classes, seed=seed)
    assert classifier.weights.shape == (features, classes)
    assert classifier.weights.dtype == classifier.biases.dtype == np.float32
    assert np.isfinite(classifier.logits(x)).all()
    assert choice.strength in logistic_regression.STRENGTHS


def test_it_is_as_good_as_scikit_learns_pipeline():
    features, labels = load_digits(return_X_y=True)
    ours, theirs = [], []
    for seed in range(2):
        train, test, train_labels, test_labels = train_test_split(
            *(np.float32(features), labels),
            test_size=0.7,
            stratify=labels,
            random_state=seed,
        )
        classifier, choice = logistic_regression.fit(train, train_labels, 10)
        ours.append(classifier.accuracy(test, test_labels))
        peer = make_pipeline(
            StandardScaler(),
            LogisticRegressionCV(max_iter=1000, use_legacy_attributes=False),
        )
        theirs.append(peer.fit(train, train_labels).score(test, test_labels))
        assert choice.accuracy == pytest.approx(ours[-1], abs=0.03)
    assert np.mean(ours) > np.mean(theirs) - 0.005
