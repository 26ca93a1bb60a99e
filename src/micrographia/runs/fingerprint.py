"""What stands for files in a run's address: their names, sizes and contents, never where they lie."""

import errno
import hashlib
import json
import stat
from pathlib import Path

from micrographia.runs.walking import walk
from micrographia.runs.writing import write_atomically

ZARR_METADATA = (".zarray", ".zattrs", ".zgroup")


class ContentHashes:
    """Content hashes of files, remembered in a JSON file by path, size and modification time.

    Parameters
    ----------
    memory
        File of remembered hashes; None reads every file each time.
    """

    def __init__(self, memory: Path | None = None):
        self.memory = memory
        self.known: dict[str, list[int | str]] = {}
        if memory is not None and memory.exists():
            try:
                self.known = json.loads(memory.read_text())
            except (OSError, json.JSONDecodeError):
                self.known = {}  # a damaged memory costs time, never correctness

    def of_file(self, path: Path) -> str:
        """SHA-256 of a file, as 64 hexadecimal digits; of a pipe or device, which may never end, an OSError."""
        state = path.stat()
        if not stat.S_ISREG(state.st_mode):
            raise OSError(errno.EINVAL, "is no regular file", str(path))
        key = str(path.resolve())
        size, modified, digest = self.known.get(key, (-1, -1, ""))
        if (size, modified) != (state.st_size, state.st_mtime_ns):
            with path.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
            self.known[key] = [state.st_size, state.st_mtime_ns, digest]
        return str(digest)

    def of_folder(self, folder: Path) -> str:
        """SHA-256 over the relative name, size and content of every file below a folder, hidden ones left out.

        The same files give the same fingerprint wherever the folder lies; a changed, added, removed or renamed file
        gives another one. A file or folder that cannot be read (a dead link, a right that is missing, a pipe) counts
        by its name; which folders are entered `walk` says, as for what is read of them. What describes a Zarr array is
        hidden, and counts.
        """
        lines: list[str] = []

        def count(path: Path, content: str) -> None:
            lines.append(f"{path.relative_to(folder).as_posix()}\t{content}")

        def closed(error: OSError) -> None:
            count(Path(error.filename), f"unreadable\t{type(error).__name__}")

        for parent, _, files in walk(folder, closed):
            for name in sorted(name for name in files if not name.startswith(".") or name in ZARR_METADATA):
                path = parent / name
                try:
                    content = f"{path.stat().st_size}\t{self.of_file(path)}"
                except OSError as error:
                    content = f"unreadable\t{type(error).__name__}"
                count(path, content)
        return hashlib.sha256("\n".join(sorted(lines)).encode(errors="surrogateescape")).hexdigest()

    def of_path(self, path: Path) -> str:
        """Fingerprint of a file or a folder."""
        return self.of_folder(path) if path.is_dir() else self.of_file(path)

    def remember(self) -> None:
        """Write the hashes to the memory file, by atomic rename."""
        if self.memory is None or not self.known:
            return
        write_atomically(self.memory, lambda part: part.write_text(json.dumps(self.known)), "how.paths.cache")
