import collections

import pytest
from hypothesis import given
from hypothesis import strategies as st

from convert.photos import splits
from convert.photos.split_names import SPLITS
from convert.photos.splits import Fractions
from convert.tfrecords.rejections import Kind

HALF = Fractions(validation=0.3, test=0.2)


def places(groups):
    """The split of each name."""
    return {
        photo.source.name: split for split, group in groups.items() for photo in group
    }


digests = st.text("0123456789abcdef", min_size=4, max_size=4)
classes = st.sampled_from("abc")


@given(
    st.dictionaries(digests, classes),
    st.dictionaries(digests, classes),
    st.integers(-(2**40), 2**40),
)
def test_adding_photos_moves_none_but_what_a_class_kept(photo, old, new, seed):
    old_photos = [photo(*entry) for entry in old.items()]
    added = [photo(*entry) for entry in (new | old).items()]
    before, _ = splits.assign(old_photos, seed=seed, fractions=HALF)
    after, _ = splits.assign(reversed(added), seed=seed, fractions=HALF)
    moved = {
        photo.digest
        for split, group in before.items()
        for photo in group
        if photo not in after.get(split, [])
    }
    kept = [photo for photo in before.get("train", []) if _falls_out(photo, seed)]
    assert moved <= {photo.digest for photo in kept}
    assert len(kept) == len({photo.source.class_name for photo in kept})
    for split, group in before.items():  # nor does their order change
        stay = [entry for entry in group if entry.digest not in moved]
        assert [entry for entry in after.get(split, []) if entry in group] == stay


def _falls_out(photo, seed):
    return splits.split_by_content(photo.digest, seed, HALF) != "train"


splits_given = st.sampled_from([None, *SPLITS])


@given(st.lists(st.tuples(st.sampled_from("0123"), classes, splits_given)))
def test_no_bytes_are_in_two_splits_or_classes(photo, entries):
    photos = {photo(*entry).source.name: photo(*entry) for entry in entries}.values()
    groups, rejected = splits.assign(photos, seed=0, fractions=HALF)
    seen = collections.defaultdict(set)
    for split, group in groups.items():
        for used in group:
            seen[used.digest].add((split, used.source.class_name))
    assert all(len(uses) == 1 for uses in seen.values())
    names = [*places(groups), *(entry.name for entry in rejected)]
    assert sorted(names) == sorted(entry.source.name for entry in photos)


def test_a_given_split_is_kept(photo):
    photos = [photo(str(number), split=SPLITS[number % 3]) for number in range(30)]
    groups, rejected = splits.assign(photos, seed=0, fractions=HALF)
    assert not rejected
    for split, group in groups.items():
        assert len(group) == 10
        assert {used.source.split for used in group} == {split}


def test_copies_in_two_splits_stay_in_the_later(photo):
    copies = [photo("f", split=split) for split in ("test", "train", None)]
    groups, rejected = splits.assign(copies, seed=0, fractions=Fractions(0, 0))
    assert list(groups) == ["test"]
    assert len(groups["test"]) == 2
    (entry,) = rejected
    assert (entry.name, entry.kind) == ("train/a/f.jpg", Kind.DUPLICATE)
    assert entry.reason == "the same bytes are in train and test: used in the latter"


def test_copies_with_two_labels_are_left_out(photo):
    photos = [photo("f", "a"), photo("f", "b"), photo("e", "b")]
    groups, rejected = splits.assign(photos, seed=0, fractions=HALF)
    assert list(places(groups)) == ["./b/e.jpg"]
    assert {entry.name for entry in rejected} == {"./a/f.jpg", "./b/f.jpg"}
    assert all(entry.kind == Kind.CONTRADICTORY for entry in rejected)
    assert "'./a/f.jpg' ('a') and './b/f.jpg' ('b')" in rejected[0].reason


@pytest.mark.parametrize("class_name", ["a", "b"])
def test_the_shares_of_a_class_are_the_fractions(photo, class_name):
    number = 4000 if class_name == "a" else 1000
    photos = [photo(f"{index:x}", class_name) for index in range(number)]
    groups, _ = splits.assign(photos, seed=1, fractions=HALF)
    shares = {split: len(group) / number for split, group in groups.items()}
    # Four standard deviations of a binomial share.
    tolerance = 4 * (0.25 / number) ** 0.5
    assert shares == pytest.approx(
        {"train": 0.5, "validation": 0.3, "test": 0.2}, abs=tolerance
    )


def test_a_class_keeps_a_training_photo(photo):
    # The numbers of "ab", "abc" and "abcd" are 0.043, 0.222 and 0.268: none is above
    # the 0.5 that training begins at here.
    photos = [photo("ab", "b"), photo("abc", "a"), photo("abcd", "a")]
    groups, _ = splits.assign(photos, seed=0, fractions=HALF)
    assert places(groups) == {
        "./b/ab.jpg": "train",
        "./a/abc.jpg": "validation",
        "./a/abcd.jpg": "train",
    }
    # "x" (0.607) is a training photo by itself: nothing need be kept.
    groups, _ = splits.assign([*photos, photo("x", "a")], seed=0, fractions=HALF)
    assert places(groups)["./a/abcd.jpg"] == "validation"


@given(
    st.lists(st.tuples(digests, classes, splits_given), min_size=1),
    st.floats(0, 0.999),
    st.integers(0, 9),
)
def test_each_class_is_trained_where_it_can_be(photo, entries, share, seed):
    photos = {photo(*entry).source.name: photo(*entry) for entry in entries}.values()
    fractions = Fractions(share / 2, share / 2)
    groups, rejected = splits.assign(photos, seed=seed, fractions=fractions)
    left_out = {entry.name for entry in rejected}
    given = {entry.digest for entry in photos if entry.source.split}
    free = {
        entry.source.class_name
        for entry in photos
        if entry.digest not in given and entry.source.name not in left_out
    }
    assert free <= {entry.source.class_name for entry in groups.get("train", [])}


def test_photos_to_test_on_stay_together(photo):
    photos = [photo("ab", "a"), photo("x", "b")]
    groups, _ = splits.assign(photos, seed=0, fractions=Fractions(0, 1))
    assert list(groups) == ["test"]


def test_the_seed_decides(photo):
    photos = [photo(f"{index:x}") for index in range(100)]
    runs = [
        places(splits.assign(photos, seed=seed, fractions=HALF)[0])
        for seed in (1, 1, 2)
    ]
    assert list(runs[0].items()) == list(runs[1].items())
    assert runs[0] != runs[2]


def test_known_places():
    # The first 48 bits of sha256("0:split:ab") are 0.043 of 2**48; and so on.
    known = {"ab": 0.043, "abc": 0.222, "abcd": 0.268, "x": 0.607}
    placed = [splits.split_by_content(text, 0, HALF) for text in known]
    assert placed == ["test", "validation", "validation", "train"]


def test_order_mixes_the_classes(photo):
    photos = [photo(f"{index:x}", "ab"[index >= 50]) for index in range(100)]
    groups, _ = splits.assign(photos, seed=0, fractions=Fractions(0, 0))
    names = "".join(used.source.class_name for used in groups["train"])
    assert names.count("ab") + names.count("ba") > 30
