"""Tasks that Slurm or submitit has started with one command make one run."""

import os
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest

from micrographia.devices.follower import Address
from micrographia.devices.tasks import Tasks, tasks_here
from micrographia.errors import UserError

TRAIN = [
    *(sys.executable, "-m", "micrographia", "train", "data.size=16", "naming.samples=200", "budget.batch_size=16"),
    *("budget.validate_every=10", "how.log_every=5", "how.progress=false", "how/trainer=ddp"),
]


def start(folder, steps, **environment):
    """Start a training as a process that leads a group, as a shell would."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", **environment}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    command = [*TRAIN, f"budget.steps={steps}"]
    return subprocess.Popen(command, cwd=folder, env=environment, start_new_session=True, **pipes)


def members(group):
    """Processes of a group that live."""
    listed = subprocess.run(["ps", "-eo", "pid=,pgid=,stat="], capture_output=True, text=True, check=True).stdout
    rows = [line.split() for line in listed.splitlines()]
    return [int(pid) for pid, of, state in rows if int(of) == group and not state.startswith("Z")]


def wait_for(condition, seconds=180):
    ends = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < ends, "has not come about in time"
        time.sleep(0.2)


def test_tasks_of_a_step_meet_in_a_file_that_only_the_user_reads(tmp_path, monkeypatch):
    assert tasks_here(tmp_path) is None
    monkeypatch.setenv("SLURM_STEP_NUM_TASKS", "1")
    assert tasks_here(tmp_path) is None
    for name, value in {"SLURM_STEP_NUM_TASKS": 2, "SLURM_PROCID": 1, "SLURM_JOB_ID": 7, "SLURM_STEP_ID": 0}.items():
        monkeypatch.setenv(name, str(value))
    tasks = tasks_here(tmp_path)
    assert (tasks.rank, tasks.size) == (1, 2)
    assert tasks.file.name.startswith("7-0-0-")
    address = Address("localhost", 1234, "ab")
    tasks.invite(address)
    assert stat.S_IMODE(tasks.file.stat().st_mode) == 0o600
    assert tasks.invitation(1) == address
    tasks.withdraw()
    with pytest.raises(UserError, match="task 0 has not said where it is within 0 s"):
        tasks.invitation(0)


def test_the_next_run_of_the_same_tasks_meets_elsewhere(tmp_path, monkeypatch):
    monkeypatch.setenv("SUBMITIT_LOCAL_NTASKS", "2")
    monkeypatch.setenv("SUBMITIT_LOCAL_GLOBALID", "0")
    first, second = tasks_here(tmp_path), tasks_here(tmp_path)
    assert isinstance(first, Tasks)
    assert first.file != second.file


@pytest.mark.slow
def test_two_tasks_make_one_run_and_return_it(tmp_path):
    step = {"SLURM_STEP_NUM_TASKS": "2", "SLURM_JOB_ID": "12", "SLURM_STEP_ID": "0"}
    tasks = [start(tmp_path, 20, **step, SLURM_PROCID=str(rank)) for rank in (1, 0)]
    said = [task.communicate(timeout=400) for task in tasks]
    assert [task.returncode for task in tasks] == [0, 0], said
    folders = {stdout.strip() for stdout, _ in said}
    assert len(folders) == 1
    assert "starting" not in said[0][1]  # task 1 has held no lock
    run = tmp_path / folders.pop()
    assert (run / "result.json").exists()
    curves = pd.read_csv(run / "curves.csv")
    assert curves.query("name == 'train/loss'")["batches"].tolist() == [5, 10, 15, 20]
    assert not list(Path(tmp_path, "runs", ".crews").iterdir())


@pytest.mark.slow
@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_signal_leaves_no_process_and_a_run_that_goes_on(sent, tmp_path):
    training = start(tmp_path, 100_000)
    wait_for(lambda: list(tmp_path.glob("runs/train/*/last.ckpt")) or training.poll() is not None)
    assert training.poll() is None, training.communicate()
    assert len(members(training.pid)) == 2
    if sent == signal.SIGINT:
        os.killpg(training.pid, sent)  # as a terminal's Ctrl-C does
    else:
        training.send_signal(sent)
    stderr = training.communicate(timeout=120)[1]
    assert training.returncode != 0
    assert "Traceback" not in stderr
    wait_for(lambda: not members(training.pid), 60)
    assert not list(tmp_path.glob("runs/train/*/result.json"))
