"""The commands as a user gives them: in processes of their own, or in this one where a mistake is answered."""

import contextlib
import ctypes
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from micrographia.cli import command, main

TRAINING = (
    *("budget.steps=60", "budget.batch_size=4", "budget.validate_every=10"),
    *("data.samples={train: 16, val: 8, test: 8}", "naming.samples=100"),
)
TRANSFER = (
    *("source=trained", "model@source.model=beta_vae", *(f"source.{override}" for override in TRAINING)),
    *("data=synthetic/cells", "data.count=120", "finetune.epochs=8", "finetune.batch_size=8", "naming.samples=100"),
    *("probes.gbt.trees=2", "probes.mlp.steps=5", "probes.logistic.iterations=5"),
)


@pytest.fixture
def training():
    """Overrides of a training of seconds, long enough to be killed in its middle."""
    return TRAINING


@pytest.fixture
def transfer():
    """Overrides of a transfer whose source is trained and whose fine-tuning takes seconds."""
    return TRANSFER


@pytest.fixture
def desk(tmp_path, monkeypatch):
    """An empty folder, in which this process is."""
    folder = tmp_path / "desk"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


def hear_interrupts():
    """Hear Ctrl-C, which processes that a shell started in the background ignore."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


class Terminal:
    """Processes of ``micrographia`` in one folder; those that a test leaves running are ended."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.started: list[subprocess.Popen] = []

    def start(self, *arguments, **options):
        """Start a command."""
        given = {"cwd": self.folder, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        given["preexec_fn"] = hear_interrupts
        process = subprocess.Popen([sys.executable, "-m", "micrographia", *arguments], **(given | options))
        self.started.append(process)
        return process

    def run(self, *arguments, **options):
        """Run a command to its end: exit status, stdout and stderr."""
        process = self.start(*arguments, **options)
        out, err = process.communicate(timeout=1800)
        return process.returncode, out, err


@pytest.fixture
def terminal(desk):
    terminal = Terminal(desk)
    yield terminal
    for process in terminal.started:
        process.kill()
        process.communicate()


def wait_for_file(process, folder, pattern, seconds=1800):
    """Wait until a process has written a file, and return its path."""
    end = time.monotonic() + seconds
    while not (found := list(folder.glob(pattern))):
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < end, f"no {pattern} after {seconds} s"
        time.sleep(0.002)
    return found[0]


@pytest.fixture
def wait_for():
    return wait_for_file


@pytest.fixture
def micrographia(desk, capsys):
    """Run a command in this process: exit status, stdout's lines, stderr."""

    def run(*arguments):
        capsys.readouterr()
        with pytest.raises(SystemExit) as stopped:
            main([*arguments])
        shown = capsys.readouterr()
        return stopped.value.code, shown.out.splitlines(), shown.err

    return run


@pytest.fixture
def mistake(micrographia):
    """Give a command that is wrong: checks that the answer is short, and returns it."""

    def give(*arguments):
        status, out, err = micrographia(*arguments, "how.progress=false")
        assert status == 2
        assert out == []
        assert "Traceback" not in err
        lines = err.splitlines()
        answer = [line for line in lines if not line.startswith("runs/")]  # notices name the run's folder first
        assert answer[0].startswith("micrographia: ")
        assert len(answer) <= 3
        return "\n".join(answer)

    return give


@pytest.fixture
def picture_folders(desk):
    """Write ``images/<class>/<number>.png``, and return ``images``."""

    def write(**classes):
        generator = np.random.default_rng(0)
        for name, count in classes.items():
            folder = desk / "images" / name
            folder.mkdir(parents=True)
            for number in range(count):
                pixels = generator.integers(0, 255, (24, 24, 3), dtype=np.uint8)
                Image.fromarray(pixels).save(folder / f"{number}.png")
        return desk / "images"

    return write


@contextlib.contextmanager
def largest_file(size):
    """Let every write beyond so many bytes of a file fail, as it does on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.fixture
def full_disk():
    return largest_file


@contextlib.contextmanager
def read_only_folder(folder):
    """Make a folder read-only, for the superuser too, while the context lasts."""
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o555)
    try:
        with without_override():
            with pytest.raises(PermissionError):
                (folder / "file").touch()
            yield
    finally:
        folder.chmod(0o755)


@contextlib.contextmanager
def without_override():
    """Give up the superuser's right to write everywhere (Linux's CAP_DAC_OVERRIDE) for a while."""
    if os.geteuid() != 0 or sys.platform != "linux":
        yield
        return
    library = ctypes.CDLL(None)
    header, rights = (ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)()
    library.capget(header, rights)
    effective = rights[0]
    rights[0] &= ~(1 << 1)
    library.capset(header, rights)
    try:
        yield
    finally:
        rights[0] = effective
        library.capset(header, rights)


@pytest.fixture
def read_only():
    return read_only_folder


@pytest.fixture(scope="session")
def trained_once(tmp_path_factory):
    """Folder ``runs`` with one finished training of two steps: to be copied, not used."""
    folder = tmp_path_factory.mktemp("trained")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        assert command(["train", *TRAINING, "budget.steps=2", "how.progress=false", "how.paths.cache=cache"]) == 0
    return folder / "runs"


@pytest.fixture
def source(desk, trained_once):
    """A finished training of two steps in the folder in which this process is."""
    shutil.copytree(trained_once, desk / "runs")
    (folder,) = (desk / "runs" / "train").glob("[!.]*")
    return folder


@pytest.fixture(scope="session")
def whole_training(tmp_path_factory):
    """Overrides of a training, and the folder in which it was made without an interruption."""
    folder = tmp_path_factory.mktemp("whole")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        assert command(["train", *TRAINING, "how.progress=false", "how.paths.cache=cache"]) == 0
    return TRAINING, folder


@pytest.fixture(scope="session")
def whole_transfer(tmp_path_factory):
    """Overrides of a transfer, and the folder in which it was made without an interruption."""
    folder = tmp_path_factory.mktemp("whole")
    cache = {"MICROGRAPHIA_CACHE": str(folder / "cache")}
    line = [sys.executable, "-m", "micrographia", "transfer", *TRANSFER]
    subprocess.run(line, cwd=folder, env=os.environ | cache, check=True, capture_output=True)
    return TRANSFER, folder
