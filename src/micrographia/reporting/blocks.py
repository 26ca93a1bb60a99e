"""What a page is made of: sections of blocks, as plain data that the templates know how to write."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from micrographia.plots.strips import Strip


@dataclass(frozen=True)
class Card:
    """A headline number.

    Parameters
    ----------
    label, value, spread, note
        What it is; the number with its unit; ``± ...`` over seeds, or nothing; of what it was taken.
    """

    label: str
    value: str
    spread: str = ""
    note: str = ""


@dataclass(frozen=True)
class Cards:
    """Headline numbers beside each other."""

    kind: ClassVar[str] = "cards"
    cards: Sequence[Card]


@dataclass(frozen=True)
class Cell:
    """What stands in one cell of a table.

    Parameters
    ----------
    text
        As it is shown.
    order
        What it is sorted by, where that is not the text.
    best
        Whether it is the best of its column.
    link
        Id of a place on the page.
    hint
        What a longer look tells.
    """

    text: str
    order: float | str | None = None
    best: bool = False
    link: str = ""
    hint: str = ""


@dataclass(frozen=True)
class Column:
    """Heading of a table's column: numbers stand at the right."""

    title: str
    numeric: bool = False
    hint: str = ""


@dataclass(frozen=True)
class Table:
    """A table, whose rows may be filtered and sorted; a folded one is opened by the reader."""

    kind: ClassVar[str] = "table"
    caption: str
    columns: Sequence[Column]
    rows: Sequence[Sequence[Cell]]
    note: str = ""
    sortable: bool = False
    filters: Mapping[str, Sequence[str]] = field(default_factory=dict)  # column title -> values to choose from
    folded: bool = False


@dataclass(frozen=True)
class Variant:
    """One of several views of a chart.

    Parameters
    ----------
    label
        What the reader chooses it by.
    spec
        JSON-able description that ``charts.js`` draws: ``type`` and its data.
    alt
        What the chart shows, in a sentence or two.
    """

    label: str
    spec: Mapping[str, Any]
    alt: str


@dataclass(frozen=True)
class Chart:
    """A chart, of which one view is seen at a time."""

    kind: ClassVar[str] = "chart"
    title: str
    variants: Sequence[Variant]
    note: str = ""


@dataclass(frozen=True)
class Picture:
    """An image file, embedded; its title may be empty where it stands below a table of the same name."""

    title: str
    alt: str
    uri: str
    width: int
    height: int


@dataclass(frozen=True)
class Gallery:
    """Images below each other."""

    kind: ClassVar[str] = "gallery"
    pictures: Sequence[Picture]


@dataclass(frozen=True)
class Sliders:
    """Strips of images, under a slider each or compared at a divider."""

    kind: ClassVar[str] = "sliders"
    strips: Sequence[Strip]
    compared: int | None = None
    note: str = ""


@dataclass(frozen=True)
class Code:
    """Text as it is typed: commands, a configuration."""

    kind: ClassVar[str] = "code"
    text: str
    label: str = ""
    folded: bool = False


@dataclass(frozen=True)
class Facts:
    """Names with what is known of them."""

    kind: ClassVar[str] = "facts"
    facts: Mapping[str, str]


@dataclass(frozen=True)
class Note:
    """A sentence to the reader."""

    kind: ClassVar[str] = "note"
    text: str


Block = Cards | Table | Chart | Gallery | Sliders | Code | Facts | Note


@dataclass(frozen=True)
class Section:
    """Blocks under a heading."""

    title: str
    blocks: Sequence[Block]
    intro: str = ""
