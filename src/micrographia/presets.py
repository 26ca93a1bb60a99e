"""Presets, the files of ``experiment/``: a verb's are those that set nothing but what the verb has."""

from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from micrographia.config import config_directory
from micrographia.errors import UserError
from micrographia.search_path import config_file, folders

GROUP = "experiment"
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the compiled one is ten times as fast
HEADER = "# @package _global_"  # first line of a preset: it sets keys of the whole config


def presets(verb: str) -> list[str]:
    """Names of a verb's presets."""
    places = [folder / GROUP for folder in folders()]
    names = {file.relative_to(place).with_suffix("").as_posix() for place in places for file in place.rglob("*.yaml")}
    return [name for name in sorted(names) if verb in verbs_of(name)]


def verbs_of(preset: str) -> list[str]:
    """Verbs that have every group and key which a preset sets."""
    roots = sorted(config_directory().glob("*.yaml"))
    return [root.stem for root in roots if settings(preset) <= offers(root)]


def check_presets(verb: str, overrides: Sequence[str]) -> None:
    """Refuse a preset of another verb, and one that does not say that its keys are the whole config's.

    Raises
    ------
    UserError
        If an override chooses one.
    """
    for name in chosen(overrides):
        if (
            preset_file(name).is_file()
            and read(preset_file(name))
            and HEADER not in preset_file(name).read_text(encoding="utf-8").splitlines()
        ):
            raise UserError(f"{preset_file(name)}: begin the preset with the line {HEADER}")
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
    return config_file(f"{GROUP}/{name}")


def read(file: Path) -> dict[str, Any]:
    """Content of a YAML file.

    Raises
    ------
    UserError
        If it cannot be read, or holds no keys.
    """
    try:
        return parsed(file, file.stat().st_mtime_ns)
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        why = " ".join(str(error).replace(' in "<unicode string>",', "").split())
        raise UserError(f"{file}: is no YAML ({why}).") from error


@cache
def parsed(file: Path, changed: int) -> dict[str, Any]:
    """Content of a YAML file that was changed at a time."""
    content = yaml.load(file.read_text(encoding="utf-8"), LOADER)
    if content is not None and not isinstance(content, dict):
        raise UserError(f"{file}: expected keys with values, as `size: 64`.")
    return content or {}
