"""convert/download_and_convert_data.py, where slim's scripts look for it."""

import script_start  # noqa: F401  (before all that takes time)

from config import app
from convert import download_and_convert_data

if __name__ == "__main__":
    download_and_convert_data.define_flags()
    app.run(download_and_convert_data.main)
