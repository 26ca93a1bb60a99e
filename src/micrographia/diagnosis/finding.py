"""One line of a diagnosis."""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Mark = Literal["ok", "note", "warning", "broken"]


@dataclass(frozen=True)
class Finding:
    """What was looked at, and what was found.

    Parameters
    ----------
    section, name
        What was looked at.
    value
        What was found, in words.
    mark
        ``ok``; ``note``: nothing is wrong, but something is missing or other than one may think; ``warning``: some
        commands will fail or be slow; ``broken``: none works.
    advice
        What to do, in one or two sentences.
    """

    section: str
    name: str
    value: str
    mark: Mark = "ok"
    advice: str = ""


def worst(findings: Iterable[Finding]) -> Mark:
    """The worst mark of several findings.

    Examples
    --------
    >>> worst([Finding("a", "b", "c"), Finding("a", "d", "e", "warning"), Finding("a", "f", "g", "note")])
    'warning'
    """
    order: tuple[Mark, ...] = ("ok", "note", "warning", "broken")
    return max((finding.mark for finding in findings), key=order.index, default="ok")


def shown_path(path: Path | str) -> str:
    """A path in which the home folder is ``~``, as it can be sent to others.

    Examples
    --------
    >>> shown_path(Path.home() / "runs"), shown_path("runs")
    ('~/runs', 'runs')
    """
    return without_home(str(path))


def without_home(text: str) -> str:
    """A text in which the home folder is ``~``."""
    home = str(Path.home())
    return text.replace(home + os.sep, f"~{os.sep}") if home != os.sep else text


def size(count: float) -> str:
    """A number of bytes in words.

    Examples
    --------
    >>> size(64 * 2**20), size(15.3 * 2**30)
    ('64 MiB', '15.3 GiB')
    """
    return f"{count / 2**30:.1f} GiB" if count >= 2**30 else f"{count / 2**20:.0f} MiB"
