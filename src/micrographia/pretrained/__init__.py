"""Runs that ship with the package: small models trained on the synthetic sets, each with its config and scores."""

import json
from functools import cache
from pathlib import Path

from micrographia.errors import UserError


def pretrained_names() -> list[str]:
    """Names of the shipped runs."""
    return sorted(set(addresses().values()))


def pretrained_folder(name: str) -> Path:
    """Folder of a shipped run.

    Raises
    ------
    UserError
        If no run of that name ships.
    """
    if name not in pretrained_names():
        raise UserError(
            f"pretrained/{name}: no such shipped run. There are: {', '.join(pretrained_names()) or 'none'}."
        )
    return Path(__file__).parent / name


def run_folder(run: str) -> Path:
    """Folder of a run named by its path or as ``pretrained/NAME``."""
    prefix, _, name = run.partition("/")
    if prefix == "pretrained" and name and not Path(run).is_dir():
        return pretrained_folder(name)
    return Path(run)


def shipped_folder(address: str) -> Path | None:
    """Folder of the shipped run with this digest, so that what ships is never trained; None where there is none."""
    name = addresses().get(address)
    return None if name is None else pretrained_folder(name)


def is_shipped(run: Path) -> bool:
    """Whether a run's folder is one of those that ship."""
    return Path(__file__).parent.resolve() in run.resolve().parents


@cache
def addresses() -> dict[str, str]:
    """Names of the shipped runs by all their digests."""
    records = sorted(Path(__file__).parent.glob("*/result.json"))
    found: dict[str, str] = {}
    for record in records:
        result = json.loads(record.read_text())
        found |= dict.fromkeys([result["digest"], *result.get("also", [])], record.parent.name)
    return found
