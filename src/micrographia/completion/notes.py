"""What the comments of a config file say of its keys."""

import re
from pathlib import Path

LINE = re.compile(r"(?P<indent> *)(?P<item>- )?(?P<key>[\w@./ -]+?):(?:\s[^#]*)?(?:#\s*(?P<note>.*))?$")


def notes_of(file: Path) -> dict[str, str]:
    """Trailing comments of a file, by dotted key; of an entry of its defaults list by ``-`` and what is written there.

    Examples
    --------
    >>> from micrographia.search_path import config_file
    >>> notes = notes_of(config_file("train"))
    >>> notes["budget.steps"], notes["-model"]
    ('batches to train on; null counts in epochs or kimg', 'what to train')
    """
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return {}
    found: dict[str, str] = {}
    above: list[tuple[int, str]] = []  # indent and key of the nodes around a line
    for line in lines:
        match = LINE.match(line)
        if match is None:
            continue
        note = (match["note"] or "").strip()
        if match["item"]:
            found[f"-{match['key']}"] = note
            continue
        indent = len(match["indent"])
        above = [node for node in above if node[0] < indent]
        found[".".join([*(name for _, name in above), match["key"]])] = note
        above.append((indent, match["key"]))
    return found
