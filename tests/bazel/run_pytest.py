"""What a pytest_test target runs: pytest on the files named as arguments."""

import os
import sys

import pytest

if __name__ == "__main__":
    # Bazel starts tests in the workspace root. The sandbox is read-only but for
    # TEST_TMPDIR, so neither a cache nor hypothesis's examples may be written here.
    os.environ.setdefault("HYPOTHESIS_STORAGE_DIRECTORY", os.environ["TEST_TMPDIR"])
    options = ["-c", "pyproject.toml", "-p", "no:cacheprovider"]
    sys.exit(pytest.main([*options, *sys.argv[1:]]))
