"""A set looked at before it is used: all that is wrong with it, or how it looks."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypedDict

from micrographia.config import Between, instantiate
from micrographia.data.catalogue.fetching import Fetched, Record, lies_there_by_hand
from micrographia.data.catalogue.public_set import PublicSet
from micrographia.data.catalogue.sets import SETS
from micrographia.errors import UserError
from micrographia.help import group_choices
from micrographia.search_path import folders
from micrographia.tasks.composing import checked_for
from micrographia.tasks.public_sets import settings

if TYPE_CHECKING:
    from micrographia.data.checking import Check

log = logging.getLogger(__name__)

ONE_CLASS = (
    "One class alone: nothing can be classified. Give each class a folder of its own, or data.table=CSV and "
    "data.label=COLUMN."
)


class Inspection(TypedDict):
    """Keys of ``inspect.yaml``."""

    data: dict[str, Any]
    per_class: Annotated[int, Between(1)]
    output: str


def inspection(name: str | None, overrides: Sequence[str]) -> tuple[dict[str, Any], dict[str, Any]]:
    """What and how of ``inspect.yaml`` for a set, checked."""
    return checked_for("inspect", [f"data={name}", *overrides], Inspection)


def check_set(name: str | None, overrides: Sequence[str]) -> int:
    """Say all that is wrong with a set, a line on stdout for each file; 1 if anything is."""
    if name is None:
        raise UserError("data check: name a set, or image_folder data.root=PATH.")
    if name in SETS and name not in data_choices():
        return check_fetched(SETS[name], overrides)
    from micrographia.data.catalogue.comparing import against_published, count_against_published
    from micrographia.data.checking import check_folder
    from micrographia.data.image_folder import ImageFolder
    from micrographia.data.plates.cells import PlateCells
    from micrographia.data.plates.checking import check_fields
    from micrographia.training.progress import WorkProgress

    what, how = inspection(name, overrides)
    progress = WorkProgress(name, how["progress"])
    with naming_fetch(name, how):
        images = instantiate(what["data"], "data")
    if isinstance(images, PlateCells):
        found = check_fields(images, fetched_files(images.fields.root), progress)
        show_check(f"{name}: fields", found)
        lines = list(found.problems.itertuples(index=False, name=None))
        if name in SETS and what["data"]["channels"] is None:  # else some of the files are not looked at
            lines += count_against_published(images.fields.files.size, SETS[name])
        lines += conflict_lines(found)
        return report_lines(lines, f"{name}: {images.fields.files.size} files, nothing against them")
    if not isinstance(images, ImageFolder):
        raise UserError(f"{name}: is rendered, no files lie anywhere. Sets of files: {', '.join(sorted(SETS))}.")
    try:
        found = check_folder(images, fetched_files(images.root), progress)
    except UserError as error:
        hint = f" micrographia data fetch {name} brings it, or makes ready what lies there." if name in SETS else ""
        raise UserError(f"{error}{hint}") from error
    show_check(name, found)
    lines = list(found.problems.itertuples(index=False, name=None))
    lines += against_published(found.counts, SETS[name]) if name in SETS else []
    lines += conflict_lines(found)
    return report_lines(lines, f"{name}: {int(found.counts.to_numpy().sum())} images, nothing against them")


def check_fetched(public: PublicSet, overrides: Sequence[str]) -> int:
    """Compare a set that is no folder of images with what was fetched."""
    from micrographia.data.catalogue.comparing import compared

    folder = Path(settings(overrides)[1]["paths"]["data"]) / public.folder
    if lies_there_by_hand(folder):
        return report_lines([], f"{folder}: was put there by hand, there is nothing to compare it with")
    files = Record.load(folder).files()
    if not files:
        raise UserError(f"{folder}: nothing was fetched there. micrographia data fetch {public.name} does.")
    return report_lines(compared([], folder, files), f"{public.name}: {len(files)} files as they were fetched")


def preview_set(name: str | None, overrides: Sequence[str]) -> int:
    """Draw a set at a glance and a contact sheet of each class; their folder is the last line on stdout."""
    from micrographia.tasks.assembly import build_data
    from micrographia.tasks.preview import preview

    if name is None:
        raise UserError("data preview: name a set, or image_folder data.root=PATH.")
    if name in SETS and name not in data_choices():
        if reader := SETS[name].reader:
            raise UserError(f"{name}: is read by data={reader}: micrographia data preview {reader}.")
        raise UserError(f"{name}: is read by no data={name}, so that there is nothing to show of it.")
    what, how = inspection(name, overrides)
    with naming_fetch(name, how):
        data = build_data(what, how)
        folder = preview(data, Path(what["output"]) / data.name, what["per_class"])
    print(folder, flush=True)
    return 0


@contextmanager
def naming_fetch(name: str, how: Mapping[str, Any]) -> Iterator[None]:
    """Add to an error of a public set that is not here how to fetch it."""
    try:
        yield
    except UserError as error:
        public = next((public for public in SETS.values() if name in (public.name, public.reader)), None)
        if public is None or (Path(how["paths"]["data"]) / public.folder).is_dir():
            raise
        raise UserError(f"{error} micrographia data fetch {public.name} brings it.") from error


def data_choices() -> list[str]:
    """Choices of the group ``data``."""
    return group_choices(*folders())["data"]


def fetched_files(root: Path) -> dict[str, Fetched] | None:
    """The files below a folder as they were fetched, into it or into a folder around it."""
    for folder in (root, *root.absolute().parents):
        if files := Record.load(folder).files():
            inner = root.absolute().relative_to(folder.absolute())
            below = {Path(name): file for name, file in files.items()}
            inside = {name.relative_to(inner): file for name, file in below.items() if name.is_relative_to(inner)}
            return {name.as_posix(): file for name, file in inside.items()} or None  # none: a folder of one's own
    return None


def show_check(name: str, found: "Check") -> None:
    """Counts of each class in each part on stderr, and what the files have in common."""
    from rich.markup import escape
    from rich.table import Table

    from micrographia.console import console

    table = Table(title=escape(name), title_justify="left")
    table.add_column("class")
    for part in found.counts.columns:
        table.add_column(str(part), justify="right")
    for kind, row in found.counts.iterrows():
        table.add_row(escape(str(kind)), *(str(count) for count in row))
    console.print(table)
    if len(found.counts) == 1:
        console.print(ONE_CLASS, markup=False, highlight=False)
    for key, text in found.summary.items():
        console.print(f"{key:<9}{text}", markup=False, highlight=False)
    harmless = len(found.duplicates) - len(found.conflicts())
    if harmless:
        pairs = "pair of near-duplicates lies" if harmless == 1 else "pairs of near-duplicates lie"
        console.print(f"{harmless:,} {pairs} within one class and part", markup=False, highlight=False)


def conflict_lines(found: "Check") -> list[tuple[str, str]]:
    """Near-duplicates on two sides of the split, or of two classes."""
    return [
        (str(row.file), f"{row.place}, looks like {row.other}, {row.other_place} (correlation {row.correlation:.3f})")
        for row in found.conflicts().itertuples()
    ]


def report_lines(lines: Sequence[tuple[str, str]], otherwise: str) -> int:
    """Print each file with what is wrong on stdout; or, on stderr, that nothing is."""
    for file, problem in lines:
        print(f"{file}: {problem}")
    log.info("%s", f"{len(lines):,} {'finding' if len(lines) == 1 else 'findings'}" if lines else otherwise)
    return 1 if lines else 0
