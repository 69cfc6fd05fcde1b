import pytest

from convert.public_data import imagenet_folders
from errors import UserError

# The first, the second and the last class.
SYNSETS = {"n01440764": 1, "n01443537": 2, "n15075141": 1000}


@pytest.fixture
def data_dir(tmp_path):
    for split, number in (("train", 4), ("val", 1)):
        for synset in SYNSETS:
            folder = tmp_path / split / synset
            folder.mkdir(parents=True)
            for photo in range(number):
                (folder / f"{photo}.JPEG").write_bytes(f"{split}{photo}".encode())
    return tmp_path


def test_labels_are_slims(data_dir):
    collection = imagenet_folders.imagenet_folders(str(data_dir))
    assert len(collection.classes) == 1001
    assert collection.classes[0] == "background"
    assert collection.classes[1] == "tench, Tinca tinca"
    for split, number in (("train", 12), ("validation", 3)):
        examples = list(collection.splits[split].read())
        assert len(examples) == collection.splits[split].num_examples == number
        for example in examples:
            assert example.label == SYNSETS[example.name.partition("/")[0]]
            folder = "val" if split == "validation" else split
            path = data_dir / folder / example.name
            assert example.encoded == path.read_bytes()


def test_names_are_slims_and_the_order_is_mixed(data_dir):
    collection = imagenet_folders.imagenet_folders(str(data_dir))
    train = collection.splits["train"]
    assert train.filenames[:2] == ("train-00000-of-00012", "train-00001-of-00012")
    assert collection.splits["validation"].filenames[0] == "validation-00000-of-00003"
    names = [example.name for example in train.read()]
    assert names != sorted(names)
    assert names == [example.name for example in train.read()]


def test_the_archives_own_names_will_do(data_dir):
    (data_dir / "train").rename(data_dir / "ILSVRC2012_img_train")
    (data_dir / "val").rename(data_dir / "ILSVRC2012_img_val")
    assert len(imagenet_folders.imagenet_folders(str(data_dir)).splits) == 2


def test_what_systems_leave_behind_is_no_photo(data_dir):
    for name in (".DS_Store", "n01440764/.DS_Store", "n01440764/Thumbs.db"):
        (data_dir / "train" / name).write_bytes(b"")
    collection = imagenet_folders.imagenet_folders(str(data_dir))
    assert collection.splits["train"].num_examples == 12


def test_other_layouts_are_explained(data_dir):
    (data_dir / "val" / "photo.JPEG").write_bytes(b"")
    with pytest.raises(UserError, match=r"val/photo.JPEG is not an ImageNet class"):
        imagenet_folders.imagenet_folders(str(data_dir))
    (data_dir / "val").rename(data_dir / "elsewhere")
    with pytest.raises(UserError, match="has no folder val: put the validation photos"):
        imagenet_folders.imagenet_folders(str(data_dir))
