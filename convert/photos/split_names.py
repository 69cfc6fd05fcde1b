"""Which names of folders, columns and cells mean a split: train, validation or test."""

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
# Words for a split of which people mean now one, now another.
_UNCLEAR_WORDS = frozenset(
    ["dev", "development", "eval", "evaluation", "holdout", "trainval", "tuning"]
)
# Words that say no more than that something is a part of the data.
_NEUTRAL_WORDS = frozenset(
    [
        *("data", "dataset", "dir", "folder", "image", "images", "img", "imgs"),
        *("part", "photo", "photos", "pic", "pics", "picture", "pictures"),
        *("sample", "samples", "set", "split", "subset"),
    ]
)


def split_of_word(text: str) -> str | None:
    """The split that a cell or a folder is called, in any case; None if it is none."""
    return _SPLIT_OF_WORD.get(text.strip().lower())


def splits_of(names: Iterable[str]) -> dict[str, str | None]:
    """The split that each of the names stands for; None where that is not plain.

    Words that say nothing are passed over, as in "Training Set" and "images_val2017",
    and so is what all names have in common, as in "seg_train" beside "seg_test".

    Args:
      names: of folders that lie beside each other.
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
    """Whether a name says split and nothing else, be it unclear which one."""
    words = _words(name)
    return _split_of_words(words) is not None or "".join(words) in _UNCLEAR_WORDS


def has_split_word(name: str) -> bool:
    """Whether a split's name is a word of the name, as in "test_tube"."""
    words = _words(name)
    return is_split_word(name) or any(
        word in _SPLIT_OF_WORD or word in _UNCLEAR_WORDS for word in words
    )


def _split_of_words(words: Sequence[str]) -> str | None:
    return _SPLIT_OF_WORD.get(words[0]) if len(words) == 1 else None


def _words(name: str) -> list[str]:
    """The words of a name that say something, in lower case, without numbers."""
    parted = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name)  # trainSet
    words = (_bare(word.lower()) for word in re.findall(r"[^\W\d_]+", parted))
    return [word for word in words if word not in _NEUTRAL_WORDS]


def _bare(word: str) -> str:
    """The word without what says nothing: "train" for "trainset"."""
    for start in _SPLIT_OF_WORD:
        if word.startswith(start) and word.removeprefix(start) in _NEUTRAL_WORDS:
            return start
    return word


def _without_shared_ends(names: Sequence[Sequence[str]]) -> list[Sequence[str]]:
    """The words of each name, less those that all begin and end with."""
    shortest = min(map(len, names), default=0)
    if len(names) < 2 or not shortest:
        return list(names)
    start = end = 0
    while start < shortest and len({name[start] for name in names}) == 1:
        start += 1
    while end < shortest - start and len({name[-1 - end] for name in names}) == 1:
        end += 1
    return [name[start : len(name) - end] for name in names]
