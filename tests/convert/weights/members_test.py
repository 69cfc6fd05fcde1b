"""Where the training of a checkpoint began."""

import numpy as np

from checkpoints import slim_format
from checkpoints.run_info import RunInfo
from common import storage
from convert.weights import members


def test_the_origin_of_runs_in_object_storage(tmp_path):
    bucket = "ram://origin"
    starts = {"start": None, "one": f"{bucket}/start", "other": f"{bucket}/one"}
    for name, start in starts.items():
        folder = tmp_path / name
        folder.mkdir()
        slim_format.write_checkpoint(str(folder / "model.ckpt-0"), {"a": np.zeros(1)})
        RunInfo({"checkpoint_path": start}, {}, "train", "").write(str(folder))
        storage.upload_folder(str(folder), f"{bucket}/{name}")
        assert members.origin(f"{bucket}/{name}") == f"{bucket}/start"
