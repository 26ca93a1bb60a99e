"""Processes that work together, and what is said when one of them fails."""

import os
import signal
import sys
from pathlib import Path

import pytest
import torch

from micrographia.devices.crew import Crew, assembled, crew_of
from micrographia.errors import UserError

TRAINER = {"devices": 2, "nodes": 1, "backend": None, "timeout": 60}
HOW = {"accelerator": "cpu", "threads": 1, "trainer": TRAINER}


@pytest.fixture(autouse=True)
def importable(monkeypatch):
    """Other processes find this module under the name that pytest gives it."""
    monkeypatch.setattr(sys, "path", [*sys.path, str(Path(__file__).parents[2])])


def summed(place, value, folder):
    """Sum over the processes, which each process writes."""
    total = torch.tensor(float(value + place.rank))
    torch.distributed.all_reduce(total)
    (folder / str(place.rank)).write_text(f"{total:.0f} of {os.getpid()}")
    return float(total)


def failing(place, how):
    """Fail in process 1 while process 0 waits for it."""
    if place.rank == 1:
        if how == "killed":
            os.kill(os.getpid(), signal.SIGKILL)
        raise UserError("data: no good.") if how == "mistake" else ValueError("a bug")
    torch.distributed.barrier()


def interrupted(place):
    """Ctrl-C in process 0 while process 1 waits for it."""
    if place.rank == 0:
        raise KeyboardInterrupt
    torch.distributed.barrier()


def test_two_processes_work_together_and_one_after_another(tmp_path):
    with assembled(HOW) as crew:
        assert crew.run(summed, 3, tmp_path) == 7
        first = {rank: (tmp_path / str(rank)).read_text().split() for rank in range(2)}
        assert first[0][2] == str(os.getpid())
        assert first[1][0] == "7"
        with assembled(HOW) as again:
            assert again is crew
            assert again.run(summed, 4, tmp_path) == 9
        assert (tmp_path / "1").read_text().split()[2] == first[1][2]  # the same process
        process = crew.processes[1]
    assert process.poll() == 0


@pytest.mark.slow
@pytest.mark.parametrize(
    ("how", "error", "message"),
    [
        (
            "killed",
            UserError,
            r"process 1 of 2 has ended in the middle of its work \(signal 9\).*start the same command",
        ),
        ("mistake", UserError, r"^data: no good\.$"),
        ("bug", RuntimeError, r"process 1 of 2 has failed:(.|\n)*ValueError: a bug"),
    ],
)
def test_what_befalls_another_process_is_told(how, error, message, tmp_path):
    with assembled(HOW) as crew:
        with pytest.raises(error, match=message):
            crew.run(failing, how)
        assert not crew.processes
        assert crew.run(summed, 1, tmp_path) == 3  # by a new process


@pytest.mark.slow
def test_an_interrupt_leaves_no_process_behind():
    with assembled(HOW) as crew:
        crew.gather()
        process = crew.processes[1]
        with pytest.raises(KeyboardInterrupt):
            crew.run(interrupted)
        assert process.poll() is not None


def test_what_cannot_travel_is_answered():
    with pytest.raises(UserError, match=r"how\.trainer: what is to be done cannot be sent"):
        Crew(2, 2).lead(lambda place: place, (), False, {})


@pytest.mark.parametrize(
    ("trainer", "accelerator", "message"),
    [
        ({"nodes": 2}, "cpu", r"how\.trainer\.nodes=2: .* started by Slurm"),
        ({}, "mps", r"how\.accelerator=mps: Apple's GPU is one device"),
    ],
)
def test_processes_that_cannot_be_had_are_answered(trainer, accelerator, message):
    with pytest.raises(UserError, match=message):
        crew_of({**HOW, "accelerator": accelerator, "trainer": {**TRAINER, **trainer}})


def test_other_tasks_than_asked_for_are_answered(monkeypatch, tmp_path):
    monkeypatch.setenv("SLURM_STEP_NUM_TASKS", "4")
    monkeypatch.setenv("SLURM_PROCID", "0")
    with pytest.raises(UserError, match=r"devices=2 on nodes=1 are 2 processes, and 4 tasks were started"):
        crew_of({**HOW, "paths": {"runs": str(tmp_path)}})
