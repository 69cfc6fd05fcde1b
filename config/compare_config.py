"""The options of `compare_runs.py`."""

import dataclasses

from config.options import Options, option, split_list
from errors import UserError


@dataclasses.dataclass(frozen=True)
class CompareOptions(Options):
    """Comparison."""

    output_dir: str | None = option(
        None,
        "Folder for comparison.csv and comparison.html; by default only the table is"
        " printed.",
    )
    at_epochs: str | None = option(
        None,
        "Comma-separated epochs at which to show the validation accuracy of each run,"
        " as in 1,5,10: that of the last evaluation up to then.",
    )

    @property
    def epochs(self) -> list[float]:
        """The numbers of `at_epochs`, in order."""
        return [float(text) for text in split_list(self.at_epochs)]


@dataclasses.dataclass(frozen=True)
class CompareConfig:
    """All options of `compare_runs.py`."""

    compare: CompareOptions

    def __post_init__(self) -> None:
        """Checks that epochs are numbers."""
        try:
            fits = all(0 < epoch < float("inf") for epoch in self.compare.epochs)
        except ValueError:
            fits = False
        if not fits:
            raise UserError(
                f"--at_epochs={self.compare.at_epochs}: expected positive numbers"
                " separated by commas, as in 1,5,10"
            )
