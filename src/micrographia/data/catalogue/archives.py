"""Archives from strangers: unpacked into one folder and nowhere else, within limits of size and number."""

import shutil
import stat
import tarfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

from micrographia.errors import REFUSALS, UserError

BLOCK = 1 << 20
LITTER = ("__MACOSX", ".DS_Store", "Thumbs.db", "desktop.ini")


@dataclass(frozen=True)
class Limits:
    """What an archive may hold at most.

    Attributes
    ----------
    files : int
        Members.
    bytes : int
        Unpacked, in all.
    """

    files: int = 2_000_000
    bytes: int = 200 * 10**9


LIMITS = Limits()


@dataclass(frozen=True)
class Member:
    """A regular file of an archive: its name with forward slashes, and how to read it."""

    name: str
    content: IO[bytes]


def unpack(archive: Path, folder: Path, limits: Limits = LIMITS) -> dict[str, int]:
    """Unpack a zip or tar archive and return the bytes of each file, by its name below the folder.

    Links, devices and members that would lie outside the folder are refused before anything of the archive is written
    there; what operating systems leave in archives (``__MACOSX``, ``.DS_Store``) is not unpacked. Sizes are counted as
    they are written, whatever the archive says of them.

    Raises
    ------
    UserError
        If the archive is none, damaged or cut short, holds a member that points outside or is no regular file, or goes
        beyond the limits.
    """
    part = folder / f".unpacking-{archive.name}"
    shutil.rmtree(part, ignore_errors=True)
    try:
        sizes = unpack_into(archive, part, limits)
        for name in sizes:
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            (part / name).replace(target)
    except UserError:
        raise
    except Exception as error:  # what damaged archives raise has no end: from struct.error to UnicodeDecodeError
        if isinstance(error, OSError) and error.errno in REFUSALS:
            raise  # the disk's, not the archive's
        raise damaged(archive, error) from error
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return sizes


def unpack_into(archive: Path, part: Path, limits: Limits) -> dict[str, int]:
    """Write all members below an empty folder."""
    sizes: dict[str, int] = {}
    total = 0
    for member in members(archive):
        name = safe_name(archive, member.name)
        if name is None:
            continue
        if name in sizes:
            raise UserError(f"{archive}: holds {name} twice. It is not unpacked.")
        target = part / name
        target.parent.mkdir(parents=True, exist_ok=True)
        with member.content as source, target.open("wb") as file:
            while block := source.read(BLOCK):
                total += len(block)
                if total > limits.bytes:
                    raise UserError(f"{archive}: unpacks to more than {limits.bytes:,} bytes. It is not unpacked.")
                file.write(block)
        sizes[name] = target.stat().st_size
        if len(sizes) > limits.files:
            raise UserError(f"{archive}: holds more than {limits.files:,} files. It is not unpacked.")
    return sizes


def members(archive: Path) -> Iterator[Member]:
    """Regular files of an archive.

    Raises
    ------
    UserError
        If it holds links or devices, or is no archive.
    """
    if zipfile.is_zipfile(archive):
        with zipfile.ZipFile(archive) as file:
            for entry in file.infolist():
                if entry.is_dir():
                    continue
                kind = stat.S_IFMT(entry.external_attr >> 16)
                if kind not in (0, stat.S_IFREG):
                    raise refused(archive, entry.filename, "is no regular file")
                yield Member(entry.filename, file.open(entry))
    elif tarfile.is_tarfile(archive):
        with tarfile.open(archive) as tape:
            for item in tape:
                if item.isdir():
                    continue
                content = tape.extractfile(item) if item.isreg() else None
                if content is None:
                    raise refused(archive, item.name, "is no regular file")
                yield Member(item.name, content)
            while tape.fileobj is not None and tape.fileobj.read(BLOCK):
                pass  # to the end, where the compression's checksum stands
    elif begins_as_archive(archive):
        raise EOFError("its end is missing")
    else:
        raise UserError(
            f"{archive}: is {'a web page and ' if is_page(archive) else ''}no archive that can be unpacked."
        )


def begins_as_archive(path: Path) -> bool:
    """Whether a file begins as zip, gzip, bzip2 or xz do."""
    with path.open("rb") as file:
        return file.read(6).startswith((b"PK\x03\x04", b"\x1f\x8b", b"BZh", b"\xfd7zXZ"))


def is_page(path: Path) -> bool:
    """Whether a file begins as web pages do: what answers in place of a file that has moved, or before a sign-in."""
    with path.open("rb") as file:
        return file.read(200).lstrip(b"\xef\xbb\xbf \t\r\n").lower().startswith((b"<!doctype html", b"<html"))


def safe_name(archive: Path, name: str) -> str | None:
    """A member's name below the folder; None for litter.

    Examples
    --------
    >>> safe_name(Path("a.zip"), "cells/./a.png"), safe_name(Path("a.zip"), "__MACOSX/._a.png")
    ('cells/a.png', None)
    """
    path = PurePosixPath(name.replace("\\", "/"))
    if not path.parts or path.is_absolute() or ".." in path.parts or ":" in path.parts[0] or "\0" in name:
        raise refused(archive, name, "would lie outside the folder")
    if any(place in LITTER or place.startswith("._") for place in path.parts):
        return None
    return path.as_posix()


def refused(archive: Path, name: str, reason: str) -> UserError:
    """Why an archive is not unpacked."""
    return UserError(f"{archive}: its member {name!r} {reason}. Nothing of the archive is unpacked: do not trust it.")


def damaged(archive: Path, error: Exception) -> UserError:
    """That an archive is damaged."""
    reason = str(error).splitlines()[0] if str(error) else type(error).__name__
    return UserError(f"{archive}: is damaged or cut short ({reason}).")
