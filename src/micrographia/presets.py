"""Presets, the files of ``experiment/``: a verb's are those that set nothing but what the verb has."""

from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from micrographia.config import config_directory
from micrographia.errors import UserError

GROUP = "experiment"


def presets(verb: str) -> list[str]:
    """Names of a verb's presets."""
    folder = config_directory() / GROUP
    names = (file.relative_to(folder).with_suffix("").as_posix() for file in sorted(folder.rglob("*.yaml")))
    return [name for name in names if verb in verbs_of(name)]


def verbs_of(preset: str) -> list[str]:
    """Verbs that have every group and key which a preset sets."""
    roots = sorted(config_directory().glob("*.yaml"))
    return [root.stem for root in roots if settings(preset) <= offers(root)]


def check_presets(verb: str, overrides: Sequence[str]) -> None:
    """Refuse a preset of another verb.

    Raises
    ------
    UserError
        If an override chooses one.
    """
    for name in chosen(overrides):
        if preset_file(name).is_file() and (verbs := verbs_of(name)) and verb not in verbs:
            raise UserError(
                f"{GROUP}={name} is a preset of {' and '.join(verbs)}; "
                f"presets of {verb}: {', '.join(presets(verb)) or 'none'}."
            )


def chosen(overrides: Sequence[str]) -> list[str]:
    """Names of the presets that overrides choose.

    Examples
    --------
    >>> chosen(["seed=1", "experiment=drl/plankton,drl/yeast"])
    ['drl/plankton', 'drl/yeast']
    """
    pairs = [override.lstrip("+").partition("=") for override in overrides]
    return [name for key, _, names in pairs if key == GROUP for name in names.split(",")]


def offers(root: Path) -> set[str]:
    """Groups and first-level keys of a verb's root config."""
    places = [name for place in groups(root) for name in place]
    return {name.split(".")[0] for name in (*read(root), *places)}


def groups(root: Path) -> list[tuple[str, str]]:
    """Each group in the defaults of a verb's root config, with the package that its choice is placed in."""
    places = [list(parts_of(entry)) for entry in read(root)["defaults"]]
    return [(place[0], place[-1]) for place in places if place]


def settings(preset: str) -> set[str]:
    """Groups and first-level keys that a preset sets, with those of the presets that it builds on."""
    content = read(preset_file(preset))
    found = {key for key in content if key != "defaults"}
    for entry in content.get("defaults", []):
        if isinstance(entry, dict):
            *_, place = parts_of(entry)
            found.add(place.split("/")[0].split(".")[0])
        elif entry != "_self_":
            found |= settings(base_of(preset, entry))
    return found


def parts_of(entry: Any) -> Iterator[str]:
    """Group of an entry of a defaults list, then the package it is placed in, if it names one."""
    if isinstance(entry, dict):
        choice = next(iter(entry)).split()[-1]  # without "override" and "optional"
        yield from choice.lstrip("/").split("@")


def base_of(preset: str, entry: str) -> str:
    """Name of the preset that another one's defaults name, absolutely or as its neighbour."""
    return entry.removeprefix(f"/{GROUP}/") if entry.startswith("/") else (Path(preset).parent / entry).as_posix()


def preset_file(name: str) -> Path:
    """Where a preset lies."""
    return config_directory() / GROUP / f"{name}.yaml"


@cache
def read(file: Path) -> dict[str, Any]:
    """Content of a YAML file."""
    return yaml.safe_load(file.read_text()) or {}
