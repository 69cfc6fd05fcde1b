"""Names of folders, columns and cells that mean a split: train, validation or test."""

import re
from collections.abc import Iterable, Sequence

SPLITS = ("train", "validation", "test")
_SPLIT_OF_WORD = {
    "train": "train",
    "training": "train",
    "validation": "validation",
    "valid": "validation",
    "val": "validation",
    "test": "test",
    "testing": "test",
}
# Words for a split that different people use for different ones.
_UNCLEAR_WORDS = frozenset(
    ["dev", "development", "eval", "evaluation", "holdout", "trainval", "tuning"]
)
# Words that only say that something is part of the data.
_NEUTRAL_WORDS = frozenset(
    [
        *("data", "dataset", "dir", "folder", "image", "images", "img", "imgs"),
        *("part", "photo", "photos", "pic", "pics", "picture", "pictures"),
        *("sample", "samples", "set", "split", "subset"),
    ]
)


def split_of_word(text: str) -> str | None:
    """The split that a cell or a folder names, in any case; None if it names none."""
    return _SPLIT_OF_WORD.get(text.strip().lower())


def splits_of(names: Iterable[str]) -> dict[str, str | None]:
    """The split that each name stands for; None if that is unclear.

    Neutral words are ignored, as in "Training Set" and "images_val2017", and so are
    parts that all names have in common, as in "seg_train" next to "seg_test".

    Args:
      names: the names of folders next to each other.
    """
    words = {name: _words(name) for name in names}
    shared = _without_shared_ends(list(words.values()))
    if all(_split_of_words(rest) for rest in shared):
        return {
            name: _split_of_words(rest)
            for name, rest in zip(words, shared, strict=True)
        }
    return {name: _split_of_words(own) for name, own in words.items()}


def is_split_word(name: str) -> bool:
    """Whether a name only means a split, even if it is unclear which one."""
    words = _words(name)
    return _split_of_words(words) is not None or "".join(words) in _UNCLEAR_WORDS


def has_split_word(name: str) -> bool:
    """Whether a word of the name means a split, as in "test_tube"."""
    words = _words(name)
    return is_split_word(name) or any(
        word in _SPLIT_OF_WORD or word in _UNCLEAR_WORDS for word in words
    )


def _split_of_words(words: Sequence[str]) -> str | None:
    return _SPLIT_OF_WORD.get(words[0]) if len(words) == 1 else None


def _words(name: str) -> list[str]:
    """The words of a name, in lower case, without neutral ones and numbers."""
    parted = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name)  # trainSet
    words = (_bare(word.lower()) for word in re.findall(r"[^\W\d_]+", parted))
    return [word for word in words if word not in _NEUTRAL_WORDS]


def _bare(word: str) -> str:
    """The word without a neutral ending: "train" for "trainset"."""
    for start in _SPLIT_OF_WORD:
        if word.startswith(start) and word.removeprefix(start) in _NEUTRAL_WORDS:
            return start
    return word


def _without_shared_ends(names: Sequence[Sequence[str]]) -> list[Sequence[str]]:
    """The words of each name, without those that all begin or end with."""
    shortest = min(map(len, names), default=0)
    if len(names) < 2 or not shortest:
        return list(names)
    start = end = 0
    while start < shortest and len({name[start] for name in names}) == 1:
        start += 1
    while end < shortest - start and len({name[-1 - end] for name in names}) == 1:
        end += 1
    return [name[start : len(name) - end] for name in names]
