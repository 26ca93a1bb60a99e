"""Where a run was made: versions, commit, device."""

import platform
import shlex
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from micrographia import __version__

RECORDED = (
    *("torch", "pytorch-lightning", "hydra-core", "omegaconf", "numpy", "pandas", "scikit-learn", "scikit-image"),
    *("lightgbm", "pillow", "tifffile", "safetensors"),
)
# The command of the job that is run: that of the process may be a sweep's, a study's or a launcher's.
COMMAND: ContextVar[str] = ContextVar("command", default="")


def environment(how: Mapping[str, Any]) -> dict[str, Any]:
    """Versions, git commit of the package's checkout, device, command and how it is executed, as JSON-able values."""
    import torch

    gpu = torch.cuda.is_available() and how.get("accelerator") != "cpu"

    return {
        "micrographia": __version__,
        "commit": git_commit(),
        "python": platform.python_version(),
        "system": platform.platform(),
        "device": torch.cuda.get_device_name() if gpu else platform.machine(),
        "threads": how.get("threads") or torch.get_num_threads(),
        "packages": {name: installed_version(name) for name in RECORDED},
        "command": command(),
        "how": dict(how),
    }


@contextmanager
def commanded(verb: str, overrides: Sequence[str]) -> Iterator[None]:
    """Let runs in this block record the command that makes them alone, whatever a sweep or study was started with."""
    token = COMMAND.set(shlex.join(["micrographia", verb, *overrides]))
    try:
        yield
    finally:
        COMMAND.reset(token)


def command() -> str:
    """The command of the job that is run, else the process's own, quoted for a shell."""
    program, *words = sys.argv
    return COMMAND.get() or shlex.join([Path(program).name, *words])


def words_of(command: str) -> list[str]:
    """The words of a recorded command; earlier versions did not quote it, so that a lone apostrophe may stand there.

    Examples
    --------
    >>> words_of("micrographia train 'data.root=my images'"), words_of("micrographia train name=it's")
    (['micrographia', 'train', 'data.root=my images'], ['micrographia', 'train', "name=it's"])
    """
    try:
        return shlex.split(command)
    except ValueError:
        return command.split()


def installed_version(package: str) -> str | None:
    """Version of an installed package; None where it is missing."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def git_commit() -> str | None:
    """Commit of the checkout this package runs from, with ``+changes`` if it is dirty; None for an installed wheel."""
    root = Path(__file__).parents[3]
    if not (root / ".git").exists():
        return None
    git = ["git", "-C", str(root)]
    try:
        commit = subprocess.run([*git, "rev-parse", "HEAD"], capture_output=True, text=True, check=True).stdout.strip()
        status = subprocess.run([*git, "status", "--porcelain"], capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return None
    return commit + ("+changes" if status.strip() else "")
