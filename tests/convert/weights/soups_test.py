"""The choice among averages, worked by hand."""

from types import SimpleNamespace

from convert.weights import averaging, soups


def test_wise_ft_takes_the_highest_accuracy_then_the_lowest_loss():
    tried = {0: (0.5, 1.0), 0.25: (0.8, 0.9), 0.5: (0.8, 0.7), 1: (0.75, 0.1)}

    def evaluate(weights):
        assert sum(weights) == 1
        accuracy, loss = tried[weights[1]]
        return SimpleNamespace(accuracy=accuracy, loss=loss)

    choice = soups.wise_ft(list(tried), evaluate)
    assert choice.weights == [0.5, 0.5]
    assert [row[3] for row in choice.rows] == ["", "", "best", ""]
    assert choice.rows[1][:3] == ["0.25", "0.8000", "0.9000"]


def test_a_checkpoint_joins_the_soup_while_accuracy_does_not_fall():
    accuracies = {
        (0,): 0.70,
        (1,): 0.80,
        (2,): 0.60,
        (3,): 0.75,
        (1, 3): 0.85,
        (0, 1, 3): 0.84,  # falls: left out
        (1, 2, 3): 0.85,  # does not
    }

    def evaluate(weights):
        members = tuple(i for i, weight in enumerate(weights) if weight)
        assert all(weights[i] == 1 / len(members) for i in members)
        return SimpleNamespace(accuracy=accuracies[members])

    choice = soups.greedy(["a", "b", "c", "d"], evaluate)
    assert choice.weights == [0, 1 / 3, 1 / 3, 1 / 3]
    assert choice.rows == [
        ["b", "0.8000", "0.8000", "in"],
        ["d", "0.7500", "0.8500", "in"],
        ["a", "0.7000", "0.8400", "left out"],
        ["c", "0.6000", "0.8500", "in"],
    ]


def test_alphas_are_sorted_and_tried_once():
    assert averaging.parse_alphas("1, 0,0.5,0") == [0, 0.5, 1]
