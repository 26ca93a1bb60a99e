"""``micrographia data``: public sets listed and fetched, and any set looked at before it is used."""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypedDict

from micrographia.config import Between, check_value, instantiate
from micrographia.data.catalogue import bbbc021
from micrographia.data.catalogue.download_bar import DownloadBar
from micrographia.data.catalogue.fetching import Fetched, Record, fetch, lies_there_by_hand, make_ready
from micrographia.data.catalogue.public_set import PublicSet
from micrographia.data.catalogue.sets import SETS
from micrographia.data.splitting import as_list
from micrographia.errors import UserError
from micrographia.help import group_choices
from micrographia.search_path import folders
from micrographia.tasks.composing import composed_for, print_config, without_show

if TYPE_CHECKING:
    from micrographia.data.checking import Check

log = logging.getLogger(__name__)


class Fetching(TypedDict):
    """Keys of ``fetch.yaml``."""

    weeks: list[Annotated[int, Between(1)]] | Literal["all"] | None
    compounds: list[str] | None
    accept: str | None
    keep: bool


class Inspection(TypedDict):
    """Keys of ``inspect.yaml``."""

    data: dict[str, Any]
    per_class: Annotated[int, Between(1)]
    output: str


ABOUT = {
    "list": "the public sets: what they show, how large they are, which are here; list NAME tells all of one",
    "fetch": "download a set, check it and make it ready: fetch NAME",
    "check": "read every image of a set and say all that is wrong: check NAME, check image_folder data.root=PATH",
    "preview": "draw a set at a glance, and images of each class as a model sees them: preview NAME",
}


def data_command(arguments: Sequence[str]) -> int:
    """Answer ``micrographia data ACTION [NAME] [key=value ...]`` and return the exit status.

    Raises
    ------
    UserError
        If the action, the name or a key is unknown, or the action fails.
    """
    from micrographia.console import show_notices

    if not arguments or {"-h", "--help"} & set(arguments):
        print(overview())
        return 0
    action, *rest = arguments
    if action not in ACTIONS:
        raise UserError(f"data {action}: no such command. There are: {', '.join(f'data {name}' for name in ACTIONS)}.")
    rest, shown = without_show(rest)
    if option := next((item for item in rest if item.startswith("-")), None):
        raise UserError(f"{option}: data {action} takes --cfg job, at the end, and key=value.")
    names = [item for item in rest if "=" not in item]
    if len(names) > 1:
        raise UserError(f"data {action}: one set at a time, these are {len(names)}: {', '.join(names)}.")
    name, overrides = next(iter(names), None), [item for item in rest if "=" in item]
    if shown:
        return show_config(action, name, overrides)
    show_notices()
    return ACTIONS[action](name, overrides)


def show_config(action: str, name: str | None, overrides: Sequence[str]) -> int:
    """Print the configuration that an action would have."""
    if action in ("check", "preview") and name in data_choices():
        what, how = inspection(name, overrides)
    else:
        what, how = settings(overrides)
    print_config(f"data {action}", {**what, "how": how})
    return 0


def overview() -> str:
    """Text of ``micrographia data --help``."""
    actions = "\n".join(f"  micrographia data {name:<8} {about}" for name, about in ABOUT.items())
    return (
        f"micrographia data: public sets, and looking at any set before it is used\n\n{actions}\n\n"
        "Sets lie below how.paths.data=FOLDER (default: ./data, or where MICROGRAPHIA_DATA says).\n"
        f"Public sets: {', '.join(SETS)}."
    )


def list_sets(name: str | None, overrides: Sequence[str]) -> int:
    """Print a line for each set, or everything that is known of one."""
    root = Path(settings(overrides)[1]["paths"]["data"])
    if name is not None:
        print(description(known(name), root))
        return 0
    for public in SETS.values():
        images = f"{public.images:,} images" if public.images else "number not published"
        size = f"{public.megabytes:,} MB" if public.megabytes else "size not published"
        print(f"{public.name:<24}{images:>20}  {size:>18}  {state(public, root):<8}  {public.about}")
    return 0


def description(public: PublicSet, root: Path) -> str:
    """Everything that is known of a set."""
    counts = [f"{kind} ({count})" if count else kind for kind, count in public.classes.items()]
    rows = {
        "shows": public.about,
        "page": public.page,
        "licence": public.licence,
        "cite": public.citation,
        "images": ", ".join([f"{public.images:,}" if public.images else "number not published", public.pixels]).strip(
            ", "
        ),
        "size": f"{public.megabytes:,} MB to download" if public.megabytes else "not published",
        "classes": ", ".join(counts) or public.classed,
        "layout": public.layout,
        "papers": public.preparation,
        "files": ", ".join(download.address for download in public.downloads),
        "fetch": public.by_hand or f"micrographia data fetch {public.name}",
        "here": f"{root / public.folder} ({state(public, root)})",
    }
    return "\n".join([public.name, *(f"  {key:<9}{text}" for key, text in rows.items() if text)])


def state(public: PublicSet, root: Path) -> str:
    """Whether a set is here."""
    folder = root / public.folder
    record = Record.load(folder)
    if record.downloads:
        whole = all(record.holds(download, folder) for download in public.downloads)
        return "fetched" if whole else "in part"
    if lies_there_by_hand(folder):
        return "here"
    return "by hand" if public.by_hand else "not here"


def fetch_set(name: str | None, overrides: Sequence[str]) -> int:
    """Bring a set onto the disk; its folder is the last line on stdout."""
    if name is None:
        raise UserError(f"data fetch: name a set: {', '.join(SETS)}.")
    public = known(name)
    what, how = settings(overrides)
    root = Path(how["paths"]["data"])
    of_plates = public.name == bbbc021.BBBC021.name
    if not of_plates and (what["weeks"] is not None or what["compounds"] is not None):
        raise UserError(f"weeks, compounds: {public.name} has none; they are of bbbc021.")
    bar = DownloadBar if how["progress"] else None
    folder = root / public.folder
    if lies_there_by_hand(folder):
        log.info("%s: was put there by hand; move it away to download the set", folder)
        make_ready(public, folder)
    else:
        fetch(public, root, bar=bar, keep=what["keep"], accept=what["accept"])
    if of_plates:
        plates = bbbc021.plates(folder, what["weeks"], as_list(what["compounds"]))
        fetch(public, root, bbbc021.archives(plates), bar, what["keep"], accept=what["accept"])
    print(folder, flush=True)
    return 0


def inspection(name: str | None, overrides: Sequence[str]) -> tuple[dict[str, Any], dict[str, Any]]:
    """What and how of ``inspect.yaml`` for a set, checked."""
    what, how = composed_for("inspect", [f"data={name}", *overrides])
    check_value(what, Inspection, "inspect")
    return what, how


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


def known(name: str) -> PublicSet:
    """A public set by its name."""
    if read := next((public.name for public in SETS.values() if public.reader == name), None):
        raise UserError(f"{name}: reads the public set {read}: name that, as in micrographia data fetch {read}.")
    if name not in SETS:
        raise UserError(f"{name}: no such public set. There are: {', '.join(SETS)}.")
    return SETS[name]


def settings(overrides: Sequence[str]) -> tuple[dict[str, Any], dict[str, Any]]:
    """What and how of ``fetch.yaml`` with overrides, checked."""
    what, how = composed_for("fetch", overrides)
    check_value(what, Fetching, "fetch")
    return what, how


ACTIONS: dict[str, Callable[[str | None, Sequence[str]], int]] = {
    "list": list_sets,
    "fetch": fetch_set,
    "check": check_set,
    "preview": preview_set,
}
