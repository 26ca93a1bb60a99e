"""Patterns over the flat names of metrics: ``image_all/{score}/{method}``."""

import re
from collections.abc import Iterable, Mapping

from micrographia.errors import UserError

PIECE = re.compile(r"\{([^{}]*)\}")


def pieces_of(pattern: str, key: str = "metrics") -> list[str]:
    """Names of the pieces in braces.

    Raises
    ------
    UserError
        If one is no name, or stands twice.

    Examples
    --------
    >>> pieces_of("image_all/{score}/{method}")
    ['score', 'method']
    """
    pieces = PIECE.findall(pattern)
    if any(not piece.isidentifier() for piece in pieces) or "{" in PIECE.sub("", pattern):
        raise UserError(f"{key}: {pattern} has a piece that is no name. Write it as image/{{score}}/{{method}}.")
    if len(set(pieces)) < len(pieces):
        raise UserError(f"{key}: {pattern} has a piece twice.")
    return pieces


def matches(pattern: str, names: Iterable[str]) -> dict[str, dict[str, str]]:
    """Those of the names that a pattern matches, each with what stands in its pieces; no piece holds a ``/``.

    Examples
    --------
    >>> matches("image/{score}/{method}", ["image/psnr/rls", "image_all/psnr/rls", "score/omes"])
    {'image/psnr/rls': {'score': 'psnr', 'method': 'rls'}}
    """
    parts = PIECE.split(pattern)
    text = "".join(f"(?P<{part}>[^/]+)" if place % 2 else re.escape(part) for place, part in enumerate(parts))
    found = {name: re.fullmatch(text, name) for name in names}
    return {name: match.groupdict() for name, match in found.items() if match}


def filled(pattern: str, pieces: Mapping[str, str]) -> str:
    """A pattern with those of its pieces that are known.

    Examples
    --------
    >>> filled("image_all/{score}/{method}", {"method": "rls"})
    'image_all/{score}/rls'
    """
    return PIECE.sub(lambda found: pieces.get(found[1], found[0]), pattern)
