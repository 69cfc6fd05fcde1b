"""The script itself, in a process of its own."""

import os
import pathlib
import re
import signal
import subprocess
import sys
import time

import pytest

from tests.convert.sample_photos import encode, make_folder, pixels

ROOT = pathlib.Path(__file__).parents[2]
COMMAND = [sys.executable, str(ROOT / "convert" / "images_to_tfrecord.py")]


def start(*flags, **options):
    return subprocess.Popen(
        [*COMMAND, *flags],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,
    )


def run(*flags):
    process = start(*flags)
    out, err = process.communicate(timeout=120)
    return process.returncode, out, err


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ((), "no photos: give --image_dir=FOLDER"),
        (("--image_dir={tmp}/nowhere",), "nowhere is not a folder"),
        (("--image_dir={tmp}/empty",), "expected a folder for each class"),
        (("--image_dir={tmp}/texts",), "usable photos of 0 class (none)"),
        (("--csv_file={tmp}/texts/a/1.txt",), "no column label and no path"),
        (("--image_dir={tmp}/texts", "--dataset_dir=/proc/x"), "/proc/x"),
        (("--image_dirs=x",), "Did you mean: image_dir"),
        (("{tmp}/texts",), "unexpected argument"),
    ],
)
def test_wrong_input_gives_one_line(tmp_path, flags, message):
    (tmp_path / "empty").mkdir()
    for name in ("a", "b"):
        (tmp_path / "texts" / name).mkdir(parents=True)
        (tmp_path / "texts" / name / "1.txt").write_text("text")
    status, out, err = run(
        f"--dataset_dir={tmp_path / 'data'}",
        "--dataset_name=pets",
        *(flag.replace("{tmp}", str(tmp_path)) for flag in flags),
    )
    assert status == 2
    assert out == ""
    errors = [line for line in err.splitlines() if line.startswith("error: ")]
    assert errors == err.splitlines()[-1:]
    assert message in errors[0]
    assert "Traceback" not in err


def test_help_lists_the_flags():
    status, out, _ = run("--help")
    assert status == 0
    assert "--image_dir" in out
    assert "--max_rejected_fraction" in out


def session(leader):
    """The processes alive in a session, zombies left out."""
    alive = []
    for entry in pathlib.Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = entry.read_text().rpartition(")")[2].split()
        except OSError:  # it ended
            continue
        if fields[0] != "Z" and int(fields[3]) == leader:
            alive.append(entry.parent.name)
    return alive


def wait_for(condition):
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.002)


@pytest.fixture(scope="module")
def many_photos(tmp_path_factory):
    """Enough to be caught at work."""
    folder = make_folder(tmp_path_factory.mktemp("many") / "photos", number=2)
    for number in range(300):
        path = folder / "cat" / f"{number}.bmp"
        path.write_bytes(encode(pixels(number, 90, 90), "BMP"))
    (folder / "dog" / "bad.jpg").write_bytes(b"bad")
    return folder


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
@pytest.mark.parametrize(
    ("pattern", "send", "status"),
    [
        # Ctrl-C reaches all processes of a terminal.
        (".*", lambda pid: os.killpg(pid, signal.SIGINT), 130),
        (".*/publish/*.tfrecord", lambda pid: os.killpg(pid, signal.SIGINT), 130),
        (".*", lambda pid: os.kill(pid, signal.SIGTERM), 143),
    ],
)
def test_a_stopped_run_leaves_nothing(many_photos, tmp_path, pattern, send, status):
    data = tmp_path / "data"
    process = start(
        f"--image_dir={many_photos}",
        f"--dataset_dir={data}",
        "--dataset_name=pets",
        "--num_workers=2",
        start_new_session=True,
    )
    wait_for(lambda: list(data.glob(pattern)))
    send(process.pid)
    _, err = process.communicate(timeout=60)
    assert process.returncode == status
    assert "Traceback" not in err
    assert ("interrupted" in err) == (status == 130)
    assert os.listdir(tmp_path) == []
    wait_for(lambda: not session(process.pid))


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_a_killed_run_is_made_good_by_the_next(many_photos, tmp_path):
    flags = (
        f"--image_dir={many_photos}",
        f"--dataset_dir={tmp_path / 'data'}",
        "--dataset_name=pets",
        "--num_workers=2",
    )
    process = start(*flags, start_new_session=True)
    wait_for(lambda: list(tmp_path.glob("data/.*/photos/*")))
    process.send_signal(signal.SIGSTOP)  # lest it end before the next one looks
    status, _, err = run(*flags)
    assert status == 2
    assert "another conversion is writing to" in err
    process.kill()
    process.communicate()
    wait_for(lambda: not session(process.pid))  # the workers end with it
    assert os.listdir(tmp_path / "data") != []
    status, out, err = run(*flags)
    assert status == 0, err
    names = os.listdir(tmp_path / "data")
    assert "dataset.json" in names
    assert not [name for name in names if name.startswith(".")]
    assert "│ 0:cat" in out
    assert "--dataset_name=pets" in out
    assert "Left out: 1 × damaged" in err
    assert "  dog/bad.jpg: no JPEG" in err
    # Nothing of TensorFlow's own, for instance on CUDA or oneDNN.
    ours = r"\d\d:\d\d:\d\d (?!.*(?:tensorflow|cuda|onednn))|  (?!I0000)"
    assert all(re.match(ours, line, re.IGNORECASE) for line in err.splitlines()), err
