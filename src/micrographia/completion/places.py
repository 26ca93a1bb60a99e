"""Files, folders and finished runs that begin as a word does."""

import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from micrographia.search_path import config_file

MOST = 200  # runs that are offered


def files(begun: str, folders_only: bool = False) -> list[str]:
    """Files and folders, the latter with a ``/``, by a path as far as it is written; hidden ones if it begins so."""
    above, name = os.path.split(begun)
    try:
        entries = sorted(os.scandir(Path(above or ".").expanduser()), key=lambda entry: entry.name)
    except OSError:
        return []
    found = []
    for entry in entries:
        if not entry.name.startswith(name) or (entry.name.startswith(".") and not name):
            continue
        if entry.is_dir():
            found.append(os.path.join(above, entry.name, ""))  # noqa: PTH118  (keeps ~ and the last /)
        elif not folders_only:
            found.append(os.path.join(above, entry.name))  # noqa: PTH118
    return found


def runs(begun: str, folder: str, tasks: Sequence[str], kinds: Sequence[str] = ()) -> list[str]:
    """Folders of finished runs that begin so, of some tasks; else the folders on the way to others.

    Parameters
    ----------
    folder
        Of runs.
    kinds
        Inputs that trainings among them can be, as ``generator``; empty for any.
    """
    found: list[str] = []
    for task in tasks:
        place = f"{folder}/{task}/"
        if not (begun.startswith(place) or place.startswith(begun)):
            continue
        for run in finished(Path(place).expanduser(), begun.removeprefix(place) if begun.startswith(place) else ""):
            if len(found) < MOST and (task != "train" or is_one_of(run, kinds)):
                found.append(f"{place}{run.name}")
    return found or (files(begun, folders_only=True) if begun else [])


def finished(folder: Path, begun: str) -> Iterator[Path]:
    """Finished runs in the folder of a task whose names begin so."""
    try:
        names = sorted(entry.name for entry in os.scandir(folder) if entry.name.startswith(begun))
    except OSError:
        return
    for name in names:
        if not name.startswith(".") and not name.endswith(".previous") and (folder / name / "result.json").exists():
            yield folder / name


def is_one_of(run: Path, kinds: Sequence[str]) -> bool:
    """Whether a run's model can be one of some inputs; of any where none is named."""
    return not kinds or any(is_input(run, kind) for kind in kinds)


def is_input(run: Path, group: str) -> bool:
    """Whether a run's model is of the class that a group takes; a source is of any that no other group takes."""
    target = target_of(run / "config.yaml")
    wanted = {other: trained_target(other) for other in ("generator", "flow", "encoder")}
    return target == wanted[group] if group in wanted else target not in wanted.values()


def trained_target(group: str) -> str:
    """Class of the model that a group's ``trained`` trains."""
    text = config_file(f"{group}/trained").read_text(encoding="utf-8")
    named = re.search(r"override /model@model: (\S+)", text)
    return target_of(config_file(f"model/{named[1]}"), "") if named else ""


def target_of(file: Path, node: str = r"^model:(?:\n .*)*?\n  ") -> str:
    """Class that a config's node names, read without a parser; empty where it names none."""
    try:
        found = re.search(rf"{node or '^'}_target_: (\S+)", file.read_text(encoding="utf-8"), re.M)
    except (OSError, UnicodeDecodeError):
        return ""
    return found[1] if found else ""
