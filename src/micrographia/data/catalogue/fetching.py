"""Public sets onto the disk: each file downloaded once, checked, unpacked, and remembered."""

import json
import logging
import shutil
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from filelock import FileLock

from micrographia.data.catalogue.archives import LIMITS, Limits, is_page, unpack
from micrographia.data.catalogue.public_set import ARCHIVES, Download, PublicSet
from micrographia.errors import UserError
from micrographia.runs.writing import write_atomically

log = logging.getLogger(__name__)

RECORD, LOCK = ".fetched.json", ".fetched.lock"
KEY = "how.paths.data"  # where the sets lie
TRIES = 3
TIMEOUT = 30  # seconds without a byte

# From a file's name to a bar as pooch wants it: `total`, `update(bytes)`, `reset()`, `close()`.
Bar = Callable[[str], Any]


class Fetched(NamedTuple):
    """A file as it was fetched: its bytes, and its checksum; None in records of former times, which kept none."""

    size: int
    sha256: str | None = None


@dataclass
class Record:
    """What was fetched into a folder; kept beside the files.

    Attributes
    ----------
    downloads : dict of str to dict
        By file name: ``address``, ``sha256`` of what was downloaded, ``files``, the bytes of each file that it became,
        by its name below the folder, and ``hashes``, their checksums. One that is only begun has no files, and the
        checksum of former times or None.
    """

    downloads: dict[str, dict[str, Any]] = field(default_factory=dict)

    @classmethod
    def load(cls, folder: Path) -> "Record":
        """Of a folder; empty where nothing was fetched."""
        path = folder / RECORD
        if not path.is_file():
            return cls()
        try:
            downloads = json.loads(path.read_text())["downloads"]
            entries = [(entry["files"], entry["sha256"]) for entry in downloads.values()]
            if not all(isinstance(files, dict) and (sha256 or not files) for files, sha256 in entries):
                raise ValueError("no files")
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise UserError(f"{path}: is damaged ({error}). Delete it and fetch the set again.") from error
        return cls(downloads)

    def save(self, folder: Path) -> None:
        """Write, whole or not at all."""
        write_atomically(folder / RECORD, lambda part: part.write_text(json.dumps(asdict(self), indent=1)), KEY)

    def files(self) -> dict[str, Fetched]:
        """What was fetched, by its name below the folder."""
        found: dict[str, Fetched] = {}
        for download, entry in self.downloads.items():
            hashes = entry.get("hashes", {})
            if not hashes and not download.lower().endswith(ARCHIVES):  # the download is the file
                hashes = dict.fromkeys(entry["files"], entry["sha256"])
            found |= {name: Fetched(size, hashes.get(name)) for name, size in entry["files"].items()}
        return found

    def holds(self, download: Download, folder: Path) -> bool:
        """Whether a download is here, each of its files with the size that it had."""
        files = self.downloads.get(download.name, {}).get("files", {})
        return bool(files) and all(size_of(folder / name) == size for name, size in files.items())


def size_of(path: Path) -> int | None:
    """Bytes of a file; None where there is none."""
    return path.stat().st_size if path.is_file() else None


def fetch(
    public: PublicSet,
    root: Path,
    downloads: Sequence[Download] | None = None,
    bar: Bar | None = None,
    keep: bool = False,
    limits: Limits = LIMITS,
    accept: str | None = None,
) -> Path:
    """Bring a set onto the disk and return its folder; what is there already is not fetched again.

    Parameters
    ----------
    public
        The set.
    root
        Folder of all sets (``how.paths.data``).
    downloads
        Some of its files, or others that they name; None takes its own.
    bar
        Makes a progress bar of a file.
    keep
        Keep archives in ``<root>/.downloads`` after they are unpacked.
    limits
        Of one archive.
    accept
        Name of a file that has changed where it is served, and is to be taken as it is now.

    Raises
    ------
    UserError
        If the set is to be fetched by hand, an address cannot be reached, a checksum differs, an archive is damaged or
        not to be trusted, the disk is too small, or the folder cannot be written.
    """
    folder = root / public.folder
    wanted = public.downloads if downloads is None else downloads
    if not wanted:
        raise UserError(f"{public.name}: cannot be fetched by a program. {public.by_hand} Put it into {folder}.")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / LOCK):  # two processes would undo each other's record
            for download in missing_of(public, wanted, folder):
                bring(public, download, root, bar, keep, limits, trusted=download.name == accept)
            make_ready(public, folder)
    except OSError as error:
        raise UserError(
            f"{error.filename or folder}: cannot be written ({error.strerror or error}). What was fetched is kept; "
            f"set {KEY}=FOLDER to one that you may write to, with room enough."
        ) from error
    return folder


def make_ready(public: PublicSet, folder: Path) -> None:
    """Turn what was unpacked into what the set's config reads.

    Raises
    ------
    UserError
        If something is missing or laid out otherwise; says what to do, for a set that is fetched by hand.
    """
    try:
        if public.prepare is not None:
            public.prepare(folder)
    except UserError as error:
        raise UserError(f"{error} {public.by_hand}".rstrip()) from error


def missing_of(public: PublicSet, wanted: Sequence[Download], folder: Path) -> list[Download]:
    """What of the downloads is not in the folder."""
    record = Record.load(folder)
    missing = [download for download in wanted if not record.holds(download, folder)]
    require_room(public, folder, missing)
    return missing


def bring(
    public: PublicSet, download: Download, root: Path, bar: Bar | None, keep: bool, limits: Limits, trusted: bool
) -> None:
    """Download one file, unpack it, and remember both."""
    folder = root / public.folder
    record = Record.load(folder)
    log.info("%s: %s", public.name, download.address)
    former = record.downloads.get(download.name, {}).get("sha256")
    known = download.sha256 or (None if trusted else former)
    path = retrieved(public, download, known, root / ".downloads" / public.folder, folder, bar)
    # Remembered before a file of it is in place, so that half a set is not taken for one that was put there by hand;
    # its checksum only afterwards, since that of a bad download would make the good one look like another file.
    entry: dict[str, Any] = {"address": download.address, "sha256": former, "files": {}}
    record.downloads[download.name] = entry
    record.save(folder)
    sha256 = checksum(path)
    try:
        files = placed(download, path, folder, keep, limits)
    except UserError as error:
        path.unlink(missing_ok=True)  # or the next run would take it again, and ask no server
        raise UserError(f"{error} Try again, or fetch it by hand from {public.page} into {folder}.") from error
    hashes = {name: checksum(folder / name) for name in files} if download.is_archive else {}
    entry.update(sha256=sha256, files=files, hashes=hashes)
    record.save(folder)


def lies_there_by_hand(folder: Path) -> bool:
    """Whether a folder holds files that no program of ours has fetched."""
    if Record.load(folder).downloads or not folder.is_dir():
        return False
    return any(not path.name.startswith(".") for path in folder.iterdir())


def require_room(public: PublicSet, folder: Path, missing: Sequence[Download]) -> None:
    """Raise if the disk has less room than archives and what they become take, where that is known beforehand."""
    sizes = [download.size for download in missing if download.size is not None]
    needed = 2 * sum(sizes)
    existing = next(parent for parent in (folder, *folder.absolute().parents) if parent.is_dir())
    free = shutil.disk_usage(existing).free
    if needed > free:
        raise UserError(
            f"{public.name}: needs about {needed / 1e9:.1f} GB, {existing} has {free / 1e9:.1f} GB. "
            "Set how.paths.data=FOLDER to one on a larger disk."
        )


def retrieved(
    public: PublicSet, download: Download, known: str | None, downloads: Path, folder: Path, bar: Bar | None
) -> Path:
    """A file of the set in the folder of downloads, its checksum as known."""
    import pooch
    import requests

    pooch.get_logger().setLevel("WARNING")
    shown = None if bar is None else bar(download.name)
    accepting = f"to take it as it is now: micrographia data fetch {public.name} accept={download.name}"
    downloader = pooch.HTTPDownloader(progressbar=shown or False, timeout=TIMEOUT)
    fetcher = pooch.create(
        path=downloads,
        base_url="",
        registry={download.name: known and f"sha256:{known}"},
        urls={download.name: download.address},
        retry_if_failed=TRIES - 1,
    )
    by_hand = f"Try again, or fetch it by hand from {public.page} into {folder}."
    try:
        return Path(fetcher.fetch(download.name, downloader=downloader))
    except requests.HTTPError as error:
        status = error.response.status_code if error.response is not None else "nothing"
        raise UserError(f"{download.address}: the server answers {status}. {by_hand}") from error
    except requests.RequestException as error:
        raise UserError(f"{download.address}: cannot be fetched ({reason_of(error)}). {by_hand}") from error
    except ValueError as error:  # pooch's answer to another checksum
        raise UserError(
            f"{download.address}: is not the file that was expected: its SHA-256 is not {known}. It may have been "
            f"replaced by a newer one, or tampered with. See {public.page}"
            + ("." if download.sha256 else f"; {accepting}.")
        ) from error
    finally:
        if shown is not None:
            shown.close()


def reason_of(error: Exception) -> str:
    """The innermost reason of a failed connection, in a few words."""
    while (inner := error.__cause__ or error.__context__) is not None and isinstance(inner, Exception):
        error = inner
    return str(error).splitlines()[0][:120] if str(error) else type(error).__name__


def checksum(path: Path) -> str:
    """SHA-256 of a file."""
    import pooch

    return str(pooch.file_hash(str(path), alg="sha256"))


def placed(download: Download, path: Path, folder: Path, keep: bool, limits: Limits) -> dict[str, int]:
    """Unpack or copy a download into the set's folder; bytes of each file by its name below it."""
    target = folder / download.into
    target.mkdir(parents=True, exist_ok=True)
    if not download.is_archive and is_page(path):
        raise UserError(f"{download.address}: shows a web page, not {download.name}.")
    if download.is_archive:
        names = unpack(path, target, limits)
    else:
        write_atomically(target / download.name, lambda part: shutil.copyfile(path, part), KEY)
        names = {download.name: path.stat().st_size}
    if not keep:
        path.unlink()
    return {(Path(download.into) / name).as_posix(): size for name, size in names.items()}
