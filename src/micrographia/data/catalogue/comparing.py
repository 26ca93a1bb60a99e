"""A set on the disk beside what was fetched of it, and what was published."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import pandas as pd

from micrographia.data.catalogue.fetching import Fetched, checksum
from micrographia.data.catalogue.public_set import PublicSet
from micrographia.data.decoding import in_threads
from micrographia.data.listing import shown
from micrographia.data.reading import files_below, is_image_file

MISSING = "was fetched and is missing"
NAMED = 20  # images too many that are listed; of the others there is a count


def compared(
    problems: Sequence[tuple[str, str]], root: Path, fetched: Mapping[str, Fetched] | None, named: Iterable[str] = ()
) -> list[tuple[str, str]]:
    """Problems of files, and what is not as it was fetched; that a file is missing is said once.

    Parameters
    ----------
    problems
        What was found before.
    root
        Folder of the set.
    fetched
        What was fetched, by its name below the folder; None where that is not known, and nothing is compared.
    named
        Further images that belong to the set, since its table names them.
    """
    if fetched is None:
        return list(problems)
    known = {name for name, _ in problems}
    found = [pair for pair in changed(root, fetched) if not (pair[1] == MISSING and pair[0] in known)]
    return [*problems, *found, *too_many(unnamed(root, [*fetched, *named]))]


def changed(root: Path, fetched: Mapping[str, Fetched]) -> list[tuple[str, str]]:
    """Files that are not as they were fetched: gone, of another size, or of another content."""
    states = in_threads(lambda item: change_of(root / item[0], item[1]), list(fetched.items()))
    return [(name, change) for name, change in zip(fetched, states, strict=True) if change]


def change_of(path: Path, fetched: Fetched) -> str:
    """How a file differs from what was fetched; "" where it does not."""
    if not path.is_file():
        return MISSING
    if (size := path.stat().st_size) != fetched.size:
        return f"has {size} bytes, {fetched.size} were fetched"
    try:
        same = fetched.sha256 is None or checksum(path) == fetched.sha256
    except OSError as error:
        return f"cannot be read ({error.strerror})"
    return "" if same else "holds other bytes than were fetched: its SHA-256 differs"


def unnamed(root: Path, names: Iterable[str]) -> list[str]:
    """Images below a folder that are none of these."""
    known = set(names)
    known |= {place.as_posix() for name in known for place in Path(name).parents}  # a file in a folder of Zarr
    paths = (path.relative_to(root) for path in files_below(root) if is_image_file(path))
    open_ones = (place for place in paths if not any(part.startswith(".") for part in place.parts))
    return sorted(shown(place) for place in open_ones if place.as_posix() not in known)


def too_many(names: Sequence[str]) -> list[tuple[str, str]]:
    """A line for each image that was not fetched; of more than `NAMED`, the first ones and how many there are."""
    lines = [(name, "was not fetched, and no table of the set names it") for name in names[:NAMED]]
    if len(names) > NAMED:
        lines.append((".", f"holds {len(names)} images that were not fetched, of which {NAMED} are named here"))
    return lines


def against_published(counts: pd.DataFrame, public: PublicSet) -> list[tuple[str, str]]:
    """What a set lacks of what was published of it: classes, and images of each."""
    of_class = counts.sum(axis=1)
    found = []
    if public.classes:
        found += [f"has no class {name}" for name in public.classes if name not in of_class.index]
        found += [f"class {name} was not published" for name in of_class.index if name not in public.classes]
    for name, count in public.classes.items():
        if count is not None and name in of_class.index and of_class[name] != count:
            found.append(f"class {name} has {of_class[name]} images, {count} were published")
    return [*((".", problem) for problem in found), *count_against_published(int(of_class.sum()), public)]


def count_against_published(images: int, public: PublicSet) -> list[tuple[str, str]]:
    """Whether a set has as many images as were published."""
    if public.images is None or images == public.images:
        return []
    return [(".", f"has {images} images, {public.images} were published")]
