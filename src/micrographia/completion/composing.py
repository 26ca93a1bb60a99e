"""A config tree read without Hydra: which keys and groups a command has, in a few milliseconds.

Hydra needs half a second to compose. Here the files of a defaults list are read one into the other, by the few rules
that the tree makes use of, and values stay as they are written; a test compares the keys with Hydra's.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from micrographia.completion.notes import notes_of
from micrographia.errors import UserError
from micrographia.presets import GROUP, read
from micrographia.search_path import config_file

SELF = "_self_"
Place = tuple[str, str]  # group, and the package that its choice is placed in


@dataclass
class Composition:
    """What a verb's config holds with some groups chosen.

    Attributes
    ----------
    keys : dict
        The values, nested.
    groups : dict of str to str
        What is written before the ``=``, as ``model@source.model``, to the group that it chooses from.
    notes : dict of str to str
        What the files say of a key or a group.
    chosen : dict
        Choices by their place; those of the command line, then of presets, then of files that include others.
    """

    keys: dict[str, Any] = field(default_factory=dict)
    groups: dict[str, str] = field(default_factory=dict)
    notes: dict[str, str] = field(default_factory=dict)
    chosen: dict[Place, str] = field(default_factory=dict)

    def include(self, name: str, package: str) -> None:
        """Read a file, as ``data/image_folder``, and what its defaults name, into a package."""
        file = config_file(name)
        content, group = readable(file), name.rpartition("/")[0]
        notes = notes_of(file)
        defaults = content.get("defaults") or []
        own = header(file, package)
        self.override(defaults, own)
        for entry in [*defaults, *([] if SELF in defaults else [SELF])]:
            if entry == SELF:
                body = {key: value for key, value in content.items() if key != "defaults"}
                merge(self.keys, nested(own, body))
                self.notes.update({joined(own, key): note for key, note in notes.items() if key[0] != "-"})
            elif isinstance(entry, str):
                path, _, at = entry.partition("@")
                included = path.lstrip("/") if path.startswith("/") else f"{group}/{path}".lstrip("/")
                self.include(included, placed(at, own) if at else own)
            else:
                self.choose(entry, group, own, notes)

    def choose(self, entry: Mapping[str, Any], group: str, package: str, notes: Mapping[str, str]) -> None:
        """Include the choice of a group's entry in a defaults list; overrides of entries elsewhere are no entries."""
        written, choice = next(iter(entry.items()))
        *signs, path = str(written).split()
        if "override" in signs:
            return
        path, _, at = path.partition("@")
        relative = path.lstrip("/")
        whole = relative if path.startswith("/") else f"{group}/{relative}".lstrip("/")
        place = (whole, placed(at, package) if at else joined(package, relative.replace("/", ".")))
        key = whole if place[1] == whole.replace("/", ".") else f"{whole}@{place[1]}"
        self.groups[key] = whole
        self.notes.setdefault(key, notes.get(f"-{written}", ""))
        choice = self.chosen.get(place, choice)
        for name in choice if isinstance(choice, list) else [choice]:
            if name is not None:
                self.include(f"{whole}/{name}", place[1])

    def override(self, defaults: Sequence[Any], package: str) -> None:
        """Take up what a file's defaults choose of groups that are entered elsewhere."""
        for entry in defaults:
            if isinstance(entry, str):
                continue
            written, choice = next(iter(entry.items()))
            *signs, path = str(written).split()
            if "override" in signs:
                path, _, at = path.lstrip("/").partition("@")
                self.chosen.setdefault((path, joined(package, at or path.replace("/", "."))), choice)


def compose(verb: str, choices: Mapping[str, str]) -> Composition:
    """Read a verb's config.

    Parameters
    ----------
    choices
        Groups that the command line chooses, by what is written before the ``=``.

    Examples
    --------
    >>> made = compose("transfer", {"source": "trained", "model@source.model": "factor_vae"})
    >>> made.keys["source"]["model"]["gamma"], made.groups["probe@probes.gbt"]
    (10.0, 'probe')
    """
    made = Composition()
    for written, choice in choices.items():
        group, _, package = written.partition("@")
        made.chosen[group, package or group.replace("/", ".")] = choice
    for preset in presets_of(choices.get(GROUP, "")):
        made.override(preset.get("defaults") or [], "")
    made.include(verb, "")
    return made


def presets_of(name: str) -> Iterator[Mapping[str, Any]]:
    """Content of a preset, then of those that it builds on; none where there is no such preset."""
    if not name or not (content := readable(config_file(f"{GROUP}/{name}"))):
        return
    yield content
    for entry in content.get("defaults") or []:
        if isinstance(entry, str) and entry != SELF:
            base = entry.removeprefix(f"/{GROUP}/") if entry.startswith("/") else (Path(name).parent / entry).as_posix()
            yield from presets_of(base)


def readable(file: Path) -> dict[str, Any]:
    """Content of a config; nothing where it is not there or broken, which the command itself will answer."""
    try:
        return read(file)
    except UserError:
        return {}


def header(file: Path, package: str) -> str:
    """Package of a file's content: as its first lines say, else where it is placed."""
    try:
        found = re.search(r"^# @package (\S+)", file.read_text(encoding="utf-8"), re.M)
    except (OSError, UnicodeDecodeError):
        return package
    if found is None:
        return package
    return "" if found[1] == "_global_" else found[1]


def placed(at: str, package: str) -> str:
    """Package that ``@`` names in a file of a package."""
    if at == "_here_":
        return package
    return at.removeprefix("_global_").lstrip(".") if at.startswith("_global_") else joined(package, at)


def joined(package: str, key: str) -> str:
    """A key in a package."""
    return ".".join(part for part in (package, key) if part)


def nested(package: str, body: dict[str, Any]) -> dict[str, Any]:
    """Content in a package, as a whole config."""
    for name in reversed([part for part in package.split(".") if part]):
        body = {name: body}
    return body


def merge(into: dict[str, Any], other: Mapping[str, Any]) -> None:
    """Add nested values to others, and put them in the place of those with the same key."""
    for key, value in other.items():
        if isinstance(value, Mapping) and isinstance(into.get(key), dict):
            merge(into[key], value)
        else:
            into[key] = copied(value)


def copied(value: Any) -> Any:
    """A value whose keys can be added to without a change to the file's own."""
    return {key: copied(item) for key, item in value.items()} if isinstance(value, Mapping) else value
