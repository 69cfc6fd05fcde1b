import re

from datasets import imagenet


def test_a_thousand_classes_in_order():
    synsets = list(imagenet.synsets())
    assert len(synsets) == 1000
    assert synsets == sorted(synsets)
    assert all(re.fullmatch(r"n\d{8}", synset) for synset in synsets)
    assert all(imagenet.synsets().values())


def test_names_by_label():
    names = imagenet.class_names(1001)
    assert names is not None
    assert len(names) == 1001
    assert names[0] == "background"
    # As published with slim's networks of 1001 classes.
    assert names[1] == "tench, Tinca tinca"
    assert names[286] == "Egyptian cat"
    assert names[968] == "espresso"
    assert names[1000] == "toilet tissue, toilet paper, bathroom tissue"
    assert imagenet.class_names(1000) == names[1:]


def test_other_networks_have_names_of_their_own():
    assert imagenet.class_names(5) is None
