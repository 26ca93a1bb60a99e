"""Interpretable deep learning on microscopy images.

The names below are for notebooks and scripts, as ``import micrographia as mg``. Each verb of the command line is a
function of that name; what it needs is imported when it is first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from micrographia.api.commands import evaluate, report, study, superresolve, sweep, train, transfer
    from micrographia.api.finding import list_runs, load
    from micrographia.api.preview import preview
    from micrographia.api.run import Run
    from micrographia.api.runs import Runs
    from micrographia.api.study import Study
    from micrographia.api.using import export, predict
    from micrographia.errors import UserError

__version__ = "0.1.0"

# Where each public name is defined, below ``micrographia``.
HOMES = {
    **dict.fromkeys(
        ("train", "transfer", "superresolve", "evaluate", "sweep", "study", "report"), "micrographia.api.commands"
    ),
    **dict.fromkeys(("load", "list_runs"), "micrographia.api.finding"),
    "preview": "micrographia.api.preview",
    "Run": "micrographia.api.run",
    "Runs": "micrographia.api.runs",
    "Study": "micrographia.api.study",
    **dict.fromkeys(("predict", "export"), "micrographia.api.using"),
    "UserError": "micrographia.errors",
}

__all__ = [
    "Run",
    "Runs",
    "Study",
    "UserError",
    "evaluate",
    "export",
    "list_runs",
    "load",
    "predict",
    "preview",
    "report",
    "study",
    "superresolve",
    "sweep",
    "train",
    "transfer",
]


def __getattr__(name: str) -> Any:
    """Import a public name when it is first asked for (PEP 562), since PyTorch alone takes seconds."""
    if name not in HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """The public names, whether they are imported yet or not."""
    return sorted([*__all__, "__version__"])
