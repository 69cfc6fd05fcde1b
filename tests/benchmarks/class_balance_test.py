"""The division of photos that leaves classes of unequal size."""

from benchmarks import class_balance


def test_every_other_class_has_a_tenth_of_the_largest(tmp_path):
    for name, count in {"a": 60, "b": 90, "c": 30, "d": 30}.items():
        (tmp_path / "all" / name).mkdir(parents=True)
        for number in range(count):
            (tmp_path / "all" / name / f"{number}.png").write_bytes(b"")
    class_balance._divide(tmp_path / "all", tmp_path / "divided", seed=0)

    def files(split, name):
        return {p.name for p in (tmp_path / "divided" / split / name).iterdir()}

    counts = {name: len(files("train", name)) for name in "abcd"}
    assert counts == {"a": 6, "b": 60, "c": 6, "d": 20}
    tested = {name: len(files("validation", name)) for name in "abcd"}
    assert tested == {"a": 20, "b": 30, "c": 10, "d": 10}
    for name in "abcd":
        assert not files("train", name) & files("validation", name)
