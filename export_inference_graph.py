"""convert/export_model.py, where slim's scripts look for it, with slim's flags."""

import script_start  # noqa: F401  (before all that takes time)

from config import app, flags
from convert import export_model
from convert.exports.options import ExportConfig

if __name__ == "__main__":
    flags.define(ExportConfig)
    app.run(export_model.main, in_one_task=True)
