"""A folder of predictions: a table that grows batch by batch and can be gone on with, and what could not be read."""

import csv
import json
import os
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd

from micrographia.errors import UserError
from micrographia.runs.lock import held
from micrographia.runs.writing import write_atomically

RECORD, TABLE, UNREADABLE = "prediction.json", "predictions.csv", "unreadable.csv"
DIGITS = "%.7g"  # what is left is rounding, which differs between machines


class PredictionFolder:
    """Where predictions go: ``predictions.csv``, ``unreadable.csv``, ``images/`` and, of what was asked, a record.

    Parameters
    ----------
    folder
        As the user names it; made if it is not there.
    asked
        What decides the numbers: run, input, settings, version. A folder of anything else is refused.

    Attributes
    ----------
    done : set of str
        Names of the images whose rows are in the table.
    written : float
        When it was written last before it was opened, in seconds since 1970.
    """

    def __init__(self, folder: Path, asked: Mapping[str, Any]):
        self.folder = folder
        self.asked = dict(asked)
        self.columns: list[str] = []
        self.done: set[str] = set()
        self.written = 0.0

    @property
    def table(self) -> Path:
        """The file of predictions."""
        return self.folder / TABLE

    @property
    def unreadable(self) -> Path:
        """The file of images that could not be read; there is none where all could."""
        return self.folder / UNREADABLE

    @contextmanager
    def opened(self, columns: list[str], per_image: int = 1) -> Iterator[None]:
        """Hold the folder against other processes, and find what is `done` in it.

        Parameters
        ----------
        columns
            Of the table, the first one ``file``.
        per_image
            Rows of one image, which follow each other.

        Raises
        ------
        UserError
            If it holds other things than these predictions, or cannot be written.
        """
        self.columns = columns
        self.require_own()
        with self.writing():
            self.folder.mkdir(parents=True, exist_ok=True)
            (self.folder / ".lock").touch()
        with held(self.folder / ".lock", self.folder, "output"):
            self.require_own()
            with self.writing():
                self.done = self.mended(per_image)
                self.unreadable.unlink(missing_ok=True)  # each of them is tried again
            self.save_record({})
            yield

    def require_own(self) -> None:
        """Refuse a file, and a folder that holds other predictions, or a table of nobody knows what."""
        if self.folder.exists() and not self.folder.is_dir():
            raise UserError(f"output={self.folder}: is a file. Name a folder.")
        file = self.folder / RECORD
        if not file.exists():
            if self.table.exists():
                raise UserError(f"output={self.folder}: holds a {TABLE} of something else. Name another folder.")
            return
        try:
            former = json.loads(file.read_text())["asked"]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise UserError(f"{file}: cannot be read ({error}). Name another folder: output=FOLDER.") from error
        for key in (*self.asked, *former):
            if former.get(key) != self.asked.get(key):
                raise UserError(
                    f"output={self.folder}: holds predictions of another {key} ({former.get(key)}; now "
                    f"{self.asked.get(key)}). Name another folder, or delete this one."
                )

    def mended(self, per_image: int) -> set[str]:
        """Names of the images whose rows are whole; what a killed process left behind them is cut off."""
        if not self.table.exists():
            return set()
        self.written = self.table.stat().st_mtime
        ends: list[int] = []  # of whole lines
        names: list[str] = []
        with self.table.open("rb") as file:
            for line in file:
                if not line.endswith(b"\n"):
                    break
                ends.append(len(line) + (ends[-1] if ends else 0))
                names.append(next(iter(next(csv.reader([line.decode()]), [""])), ""))
        if ends and names[0] != self.columns[0]:
            raise UserError(f"{self.table}: its first column is not {self.columns[0]}. Name another folder.")
        counts = Counter(names[1:])
        while len(names) > 1 and counts[names[-1]] < per_image:
            names.pop()
            ends.pop()
        whole = ends[-1] if ends else 0
        if self.table.stat().st_size > whole:  # else the table stays as old as it is
            with self.table.open("r+b") as file:
                file.truncate(whole)
        return set(names[1:])

    def append(self, rows: pd.DataFrame) -> None:
        """Add the rows of some images to the table, in one piece."""
        header = not self.has_rows(self.table)
        text = rows[self.columns].to_csv(index=False, header=header, lineterminator="\n", float_format=DIGITS)
        self.write(self.table, text)
        self.done |= set(rows["file"])

    def refuse(self, reasons: Mapping[str, str]) -> None:
        """Add images to those that could not be read."""
        if not reasons:
            return
        rows = pd.DataFrame({"file": list(reasons), "reason": list(reasons.values())})
        header = not self.has_rows(self.unreadable)
        self.write(self.unreadable, rows.to_csv(index=False, header=header, lineterminator="\n"))

    def save_record(self, found: Mapping[str, Any]) -> None:
        """Keep what was asked, and what is worth knowing of the answer."""
        text = json.dumps({"asked": self.asked, **found}, indent=2, ensure_ascii=False) + "\n"
        write_atomically(self.folder / RECORD, lambda part: part.write_text(text, encoding="utf-8"), "output")

    def has_rows(self, file: Path) -> bool:
        """Whether a table has its header already."""
        return file.exists() and file.stat().st_size > 0

    def write(self, file: Path, text: str) -> None:
        """Add text to a file, and see to it that it is on the disk."""
        with self.writing(), file.open("ab") as stream:
            stream.write(text.encode())
            stream.flush()
            os.fsync(stream.fileno())

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Answer a folder that cannot be written."""
        try:
            yield
        except OSError as error:
            raise UserError(
                f"output={self.folder}: cannot be written ({error.strerror or error}). Free space or rights, and start "
                "the same command again, which goes on; or name another folder."
            ) from error
