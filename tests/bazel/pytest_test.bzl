"""Bazel's py_test for a file of pytest tests."""

def pytest_test(name, srcs, data = [], **kwargs):
    """Hands one test file to pytest.

    Args:
      name: the target's name.
      srcs: the test file, alone.
      data: files that the test reads.
      **kwargs: what else py_test takes.
    """
    native.py_test(
        name = name,
        srcs = srcs + ["//tests/bazel:run_pytest.py"],
        main = "//tests/bazel:run_pytest.py",
        args = [native.package_name() + "/" + srcs[0]],
        data = data + ["//:pyproject.toml"],
        **kwargs
    )
