"""What a study is: its sweeps, budgets, and the entries of its result."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from micrographia.errors import UserError
from micrographia.studies.patterns import pieces_of


@dataclass(frozen=True)
class Sweep:
    """Jobs of one verb.

    Parameters
    ----------
    overrides
        As on the command line with ``-m``.
    of
        Sweep whose finished runs are evaluated; empty where there is none.
    """

    name: str
    verb: str
    overrides: tuple[str, ...]
    of: str = ""


@dataclass(frozen=True)
class Budget:
    """How much of a study is made.

    Parameters
    ----------
    overrides
        Of each sweep that is made, by its name: the budget's own, which take the place of the sweep's.
    about
        Minutes that it takes, as its author states.
    """

    name: str
    overrides: Mapping[str, tuple[str, ...]]
    about: float | None = None


@dataclass(frozen=True)
class Entry:
    """One table or figure of a study's result: its file's name, and the keys that the file gives."""

    name: str
    is_table: bool
    node: Mapping[str, Any]

    @property
    def rows(self) -> list[str]:
        """Keys that tell a table's rows from each other; of a figure, its axis and colours."""
        return as_list(self.node.get("rows")) if self.is_table else self.named("x", "hue")

    @property
    def columns(self) -> list[str]:
        """Keys that tell a table's columns from each other; of a figure, its panels."""
        return as_list(self.node.get("columns")) if self.is_table else self.named("panels")

    @property
    def over(self) -> list[str]:
        """Keys over whose values means are taken."""
        return as_list(self.node.get("over", ["seed"]))

    @property
    def among(self) -> list[str]:
        """Keys whose values compete for the best: a table's rows where the file names none."""
        return as_list(self.node.get("among")) or self.rows

    @property
    def keys(self) -> list[str]:
        """Every key that the entry names."""
        compare = self.node.get("compare") or {}
        others = [*self.node.get("where", {}), *([compare["across"]] if compare else []), *as_list(compare.get("pair"))]
        return list(dict.fromkeys([*self.rows, *self.columns, *self.over, *others]))

    @property
    def patterns(self) -> dict[str, str]:
        """Patterns of metrics by the name that each stands under; none of an entry that reads runs' tables."""
        metrics = self.node.get("metrics", {})
        return dict(metrics) if isinstance(metrics, Mapping) else {pattern: pattern for pattern in as_list(metrics)}

    @property
    def pieces(self) -> list[str]:
        """Columns that the entry's patterns make, and ``metric``."""
        return ["metric", *dict.fromkeys(piece for pattern in self.patterns.values() for piece in pieces_of(pattern))]

    def named(self, *names: str) -> list[str]:
        """Those keys of the node that are given."""
        return [self.node[name] for name in names if name in self.node]


@dataclass(frozen=True)
class Study:
    """A study as its file states it."""

    name: str
    file: Path
    question: str
    source: str
    sweeps: Mapping[str, Sweep]
    budgets: Mapping[str, Budget]
    result: Sequence[Entry]
    labels: Mapping[str, str] = field(default_factory=dict)

    def budget(self, name: str) -> Budget:
        """A budget by its name.

        Raises
        ------
        UserError
            If there is none.
        """
        if name not in self.budgets:
            raise UserError(f"budget={name}: {self.name} has no such budget. It has: {', '.join(self.budgets)}.")
        return self.budgets[name]


def as_list(value: Any) -> list[Any]:
    """A list of what may stand alone."""
    return [] if value is None else list(value) if isinstance(value, (list, tuple)) else [value]


def merged(overrides: Sequence[Any]) -> tuple[str, ...]:
    """Overrides of which a later one takes the place of a former one of the same key.

    Examples
    --------
    >>> merged(["seed=0,1,2", "images=8", "~methods.supervised", "seed=0"])
    ('seed=0', 'images=8', '~methods.supervised')
    """
    found: dict[str, str] = {}
    for override in overrides:
        found[str(override).partition("=")[0].lstrip("+~")] = str(override)
    return tuple(found.values())


def value_text(value: Any) -> str:
    """A value of a key as text, the same whether it comes from a command line, a config or a table.

    Examples
    --------
    >>> value_text(4.0), value_text("4"), value_text(True), value_text(None), value_text("1e-4"), value_text("'a b'")
    ('4', '4', 'true', 'null', '0.0001', 'a b')
    """
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    text = str(value)
    if len(text) > 1 and text[0] == text[-1] and text[0] in "'\"":
        text = text[1:-1]
    try:
        number = float(text)
    except ValueError:
        return text
    return f"{number:.10g}"
