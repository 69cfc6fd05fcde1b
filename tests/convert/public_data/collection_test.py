import hashlib

import pytest

from convert.public_data import collection
from convert.public_data.collection import Example, Remote, Usable
from convert.tfrecords.rejections import Kind, Rejection
from errors import UserError
from tests.convert.sample_photos import encode, pixels

DATA = b"an archive"
SHA256 = hashlib.sha256(DATA).hexdigest()


def test_a_file_that_is_there_is_not_downloaded(tmp_path):
    (tmp_path / "a.tgz").write_bytes(DATA)
    remote = Remote("http://localhost:9/x/a.tgz", SHA256)
    assert collection.fetch(remote, str(tmp_path)) == str(tmp_path / "a.tgz")


def test_a_dead_download_says_what_to_do_by_hand(tmp_path):
    data_dir = tmp_path / "new"
    remote = Remote("http://localhost:9/x/a.tgz", SHA256)
    message = (
        rf"http://localhost:9/x/a.tgz cannot be reached .*: get a.tgz by other means,"
        rf" put it into {data_dir} and try again with --data_dir={data_dir}"
    )
    with pytest.raises(UserError, match=message):
        collection.fetch(remote, str(data_dir))


def test_another_file_of_the_name_is_refused(tmp_path):
    (tmp_path / "a.tgz").write_bytes(b"half")
    with pytest.raises(
        UserError, match=r"a.tgz is not the file published at http:.* delete it"
    ):
        collection.fetch(Remote("http://localhost:9/a.tgz", SHA256), str(tmp_path))


@pytest.mark.parametrize(("examples", "names"), [(9, 2), (2, 2), (1, 1), (0, 1)])
def test_no_more_files_than_examples(examples, names):
    expected = tuple(f"a-{shard:05d}-of-{names:05d}" for shard in range(names))
    assert collection.shard_names("a-%05d-of-%05d", 2, examples) == expected


def test_images_are_made_fit_or_explained():
    jpeg, bmp = encode(pixels(0), "JPEG"), encode(pixels(1), "BMP")
    examples = [Example(jpeg, 3, "a"), Example(bmp, 4, "b"), Example(b"bad", 5, "c")]
    kept, converted, rejected = collection.normalize_some(examples)
    assert isinstance(kept, Usable)
    assert (kept.photo.encoded, kept.label, kept.name) == (jpeg, 3, "a")
    assert isinstance(converted, Usable)
    assert (converted.photo.format, converted.label) == ("png", 4)
    assert isinstance(rejected, Rejection)
    assert (rejected.name, rejected.kind) == ("c", Kind.DAMAGED)
