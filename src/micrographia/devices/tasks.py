"""Processes that Slurm, or submitit without it, has started side by side, each with the same command."""

import os
import time
from pathlib import Path

from micrographia.devices.follower import Address
from micrographia.errors import UserError
from micrographia.runs.writing import write_atomically

STARTERS = (  # how many, which of them, and what tells one step from another
    ("SLURM_STEP_NUM_TASKS", "SLURM_PROCID", ("SLURM_JOB_ID", "SLURM_STEP_ID", "SLURM_RESTART_COUNT")),
    ("SUBMITIT_LOCAL_NTASKS", "SUBMITIT_LOCAL_GLOBALID", ("SUBMITIT_LOCAL_JOB_ID",)),
)
INTERVAL = 0.2  # seconds between two looks

meetings = 0
"""Runs for which this process has met the others: each of them counts the same ones."""


class Tasks:
    """A task and those beside it, which meet through a file in the folder of the runs.

    Parameters
    ----------
    rank, size
        Of this task; number of tasks.
    file
        Where task 0 says where it is.
    """

    def __init__(self, rank: int, size: int, file: Path):
        self.rank = rank
        self.size = size
        self.file = file

    def invite(self, address: Address) -> None:
        """Say where this task is, in a file that nobody but the user can read: it holds a key."""

        def fill(part: Path) -> None:
            part.touch(0o600)
            part.write_text(address.written())

        write_atomically(self.file, fill)

    def withdraw(self) -> None:
        """Remove the file."""
        self.file.unlink(missing_ok=True)

    def invitation(self, seconds: float) -> Address:
        """Where task 0 is.

        Raises
        ------
        UserError
            If it does not say so in time.
        """
        ends = time.monotonic() + seconds
        while time.monotonic() < ends:
            try:
                return Address.read(self.file.read_text())
            except FileNotFoundError:
                time.sleep(INTERVAL)
        raise UserError(f"how.trainer: task 0 has not said where it is within {seconds:.0f} s ({self.file}).")


def tasks_here(runs: Path) -> Tasks | None:
    """The tasks that were started beside this one; None where it is alone.

    Parameters
    ----------
    runs
        The folder of the runs, which all tasks see.
    """
    global meetings
    for count, rank, names in STARTERS:
        if int(os.environ.get(count, 1)) > 1:
            meetings += 1
            step = "-".join(os.environ.get(name, "0") for name in names)
            file = runs / ".crews" / f"{step}-{meetings}"
            return Tasks(int(os.environ[rank]), int(os.environ[count]), file)
    return None
