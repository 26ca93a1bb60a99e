"""What a finished run and a study have in common: a folder with tables, figures and pages."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

import pandas as pd

from micrographia.api.figures import Figure, Page
from micrographia.errors import UserError
from micrographia.hydra_messages import suggestion

Shown = TypeVar("Shown")


class Results:
    """Tables, figures and pages in a folder, by name; it may stand wherever a path may.

    Parameters
    ----------
    path
        The folder.
    """

    tables_at = figures_at = "."  # places below the folder

    def __init__(self, path: Path):
        self.path = path

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.place!r})"

    def __str__(self) -> str:
        return self.place

    def __fspath__(self) -> str:
        return str(self.path)

    @property
    def place(self) -> str:
        """How a command names it: by its folder, as given."""
        return str(self.path)

    @property
    def tables(self) -> list[str]:
        """Names of the tables."""
        return self.names(self.tables_at, ".csv")

    @property
    def figures(self) -> list[str]:
        """Names of the figures."""
        return self.names(self.figures_at, ".png")

    @property
    def pages(self) -> list[str]:
        """Names of the figures that have sliders."""
        return self.names(self.figures_at, ".html")

    def table(self, name: str) -> pd.DataFrame:
        """Read a table.

        Raises
        ------
        UserError
            If there is none of that name.
        """
        return self.named("table", name, self.tables, self.read_table)

    def read_table(self, name: str) -> pd.DataFrame:
        """Read a table that is there; a first column without a name holds those of the rows."""
        table = pd.read_csv(self.path / self.tables_at / f"{name}.csv")
        return by_row(table)

    def figure(self, name: str, width: int | None = None) -> Figure:
        """A figure, which a notebook shows; ``.image`` is its picture.

        Parameters
        ----------
        width
            Pixels to which a wider picture is reduced where it is shown; None: none.

        Raises
        ------
        UserError
            If there is none of that name.
        """
        place = self.path / self.figures_at / f"{name}.png"
        return self.named("figure", name, self.figures, lambda name: Figure(place, width))

    def page(self, name: str, height: int = 640) -> Page:
        """A figure with sliders, which a notebook shows in a frame of that height in pixels.

        Raises
        ------
        UserError
            If there is none of that name.
        """
        place = self.path / self.figures_at / f"{name}.html"
        return self.named("page", name, self.pages, lambda name: Page(place, height))

    def named(self, kind: str, name: str, names: Sequence[str], read: Callable[[str], Shown]) -> Shown:
        """Read what bears a name, or say which names there are."""
        if name not in names:
            there = f"There are: {', '.join(names)}." if names else "There is none."
            raise UserError(f"{kind} {name}: {self.path} has none of that name{suggestion(name, names)}. {there}")
        return read(name)

    def names(self, place: str, suffix: str) -> list[str]:
        """Names of the files of a kind."""
        return sorted(file.stem for file in (self.path / place).glob(f"[!.]*{suffix}"))


def by_row(table: pd.DataFrame) -> pd.DataFrame:
    """A table whose rows have names, as pandas writes them, by these.

    Examples
    --------
    >>> by_row(pd.DataFrame({"Unnamed: 0": ["z0"], "Shape": [0.5]})).loc["z0", "Shape"].item()
    0.5
    """
    first = table.columns[0]
    return table.set_index(first).rename_axis(None) if str(first).startswith("Unnamed: 0") else table
