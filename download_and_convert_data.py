"""convert/download_and_convert_data.py, where slim's scripts look for it."""

import script_start  # noqa: F401  (before all that takes time)

from config import app, flags
from convert import download_and_convert_data

if __name__ == "__main__":
    flags.define(download_and_convert_data.DataOptions)
    app.run(download_and_convert_data.main)
