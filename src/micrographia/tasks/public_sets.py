"""Public sets: what there are, what is known of each, and bringing one onto the disk."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, TypedDict

from micrographia.config import Between
from micrographia.data.catalogue import bbbc021
from micrographia.data.catalogue.download_bar import DownloadBar
from micrographia.data.catalogue.fetching import Record, fetch, lies_there_by_hand, make_ready
from micrographia.data.catalogue.public_set import PublicSet
from micrographia.data.catalogue.sets import SETS
from micrographia.data.splitting import as_list
from micrographia.errors import UserError
from micrographia.tasks.composing import checked_for

log = logging.getLogger(__name__)


class Fetching(TypedDict):
    """Keys of ``fetch.yaml``."""

    weeks: list[Annotated[int, Between(1)]] | Literal["all"] | None
    compounds: list[str] | None
    accept: str | None
    keep: bool


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


def known(name: str) -> PublicSet:
    """A public set by its name."""
    if read := next((public.name for public in SETS.values() if public.reader == name), None):
        raise UserError(f"{name}: reads the public set {read}: name that, as in micrographia data fetch {read}.")
    if name not in SETS:
        raise UserError(f"{name}: no such public set. There are: {', '.join(SETS)}.")
    return SETS[name]


def settings(overrides: Sequence[str]) -> tuple[dict[str, Any], dict[str, Any]]:
    """What and how of ``fetch.yaml`` with overrides, checked."""
    return checked_for("fetch", overrides, Fetching)
