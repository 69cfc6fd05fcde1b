"""Only editable installs of a checkout.

`config`, `datasets` and `errors` are names of slim's modules; installed, they would
overwrite other packages of the same names.
"""

from setuptools import setup
from setuptools.command.bdist_wheel import bdist_wheel
from setuptools.command.sdist import sdist

_REFUSAL = (
    "error: slim-image-classifier cannot be installed as a package: its modules config,"
    " datasets and errors would overwrite those of others. Use git clone, then `make`"
    " in the clone, and run the scripts from there (`pip install -e .` works too)."
)


class _NoWheel(bdist_wheel):
    """Refuses to build; an editable install takes only the wheel's tags from it."""

    def run(self) -> None:
        """Says what to do instead, and ends."""
        raise SystemExit(_REFUSAL)


class _NoSourceArchive(sdist):
    """Refuses to build."""

    def run(self) -> None:
        """Says what to do instead, and ends."""
        raise SystemExit(_REFUSAL)


setup(cmdclass={"bdist_wheel": _NoWheel, "sdist": _NoSourceArchive})
