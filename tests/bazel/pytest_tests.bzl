"""Bazel's py_test for each pytest file of a folder."""

def pytest_tests(data = [], manual = [], deps = []):
    """Makes a target `x_test` of each file `x_test.py` of the folder.

    Args:
      data: files that the tests read.
      manual: test files that run only when they are named.
      deps: what any of the tests needs; they also see each other.
    """
    files = native.glob(["*_test.py"])
    for file in files:
        native.py_test(
            name = file[:-len(".py")],
            srcs = files + ["//tests/bazel:run_pytest.py"],
            main = "//tests/bazel:run_pytest.py",
            args = [native.package_name() + "/" + file],
            data = data + ["//:pyproject.toml"],
            tags = ["manual"] if file in manual else [],
            deps = deps,
        )
