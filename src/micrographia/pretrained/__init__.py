"""Runs that ship with the package: small models trained on the synthetic sets, each with its config and scores."""

from pathlib import Path

from micrographia.errors import UserError


def pretrained_names() -> list[str]:
    """Names of the shipped runs."""
    return sorted(file.parent.name for file in Path(__file__).parent.glob("*/result.json"))


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
