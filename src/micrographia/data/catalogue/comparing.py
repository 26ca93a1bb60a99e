"""A set on the disk beside what was fetched of it, and what was published."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from micrographia.data.catalogue.public_set import PublicSet

MISSING = "was fetched and is missing"


def with_changed(
    problems: Sequence[tuple[str, str]], root: Path, fetched: Mapping[str, int] | None
) -> list[tuple[str, str]]:
    """Problems of files, and what is not as it was fetched; that a file is missing is said once."""
    known = {name for name, _ in problems}
    found = changed(root, fetched or {})
    return [*problems, *(pair for pair in found if not (pair[1] == MISSING and pair[0] in known))]


def changed(root: Path, fetched: Mapping[str, int]) -> list[tuple[str, str]]:
    """Files that are not as they were fetched: gone, or of another size."""
    found = []
    for name, size in fetched.items():
        path = root / name
        if not path.is_file():
            found.append((name, MISSING))
        elif path.stat().st_size != size:
            found.append((name, f"has {path.stat().st_size} bytes, {size} were fetched"))
    return found


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
