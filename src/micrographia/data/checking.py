"""Everything that is wrong with a folder of images, found in one pass before anything is trained on it."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from micrographia.data.catalogue.comparing import compared, unnamed
from micrographia.data.catalogue.fetching import Fetched
from micrographia.data.datamodule import PARTS
from micrographia.data.decoding import Progress, in_threads
from micrographia.data.duplicates import near_duplicates, thumbnail
from micrographia.data.faults import attempt, odd_ones
from micrographia.data.image_folder import ImageFolder
from micrographia.data.listing import list_images, subfolders
from micrographia.data.planes import ImageHeader
from micrographia.data.reading import files_below, is_image_file
from micrographia.data.splitting import in_order
from micrographia.data.survey import Survey, shown, survey
from micrographia.errors import UserError

PROBLEMS = ["file", "problem"]


@dataclass(frozen=True)
class Look:
    """What one file shows: a header and a thumbnail, or a problem."""

    header: ImageHeader | None
    small: NDArray[np.float32] | None
    problem: str = ""


@dataclass(frozen=True)
class Check:
    """What was found.

    Attributes
    ----------
    counts : DataFrame
        Images of each class (rows) in each part (columns); of images without classes one row.
    problems : DataFrame
        ``file`` (whole relative name) and ``problem``, of what cannot be used or is not as it was fetched.
    duplicates : DataFrame
        Near-duplicates: ``file``, ``part``, ``class`` and the same of the ``other``, ``correlation``.
    summary : dict of str to str
        Channels, type and sizes, in words.
    """

    counts: pd.DataFrame
    problems: pd.DataFrame
    duplicates: pd.DataFrame
    summary: dict[str, str]

    def conflicts(self) -> pd.DataFrame:
        """Near-duplicates on two sides of the split, or of two classes; ``place`` and ``other_place`` say which."""
        pairs = self.duplicates
        apart, unlike = pairs["part"] != pairs["other_part"], pairs["class"] != pairs["other_class"]
        for key, kind, part in (("place", "class", "part"), ("other_place", "other_class", "other_part")):
            pairs = pairs.assign(**{key: pairs[part].where(~unlike, pairs[part] + ", class " + pairs[kind])})
        return pairs[apart | unlike]


def check_folder(
    folder: ImageFolder, fetched: Mapping[str, Fetched] | None = None, progress: Progress | None = None
) -> Check:
    """Read every image of a folder and say all that is wrong.

    Parameters
    ----------
    folder
        As a config describes it.
    fetched
        What was fetched, by its name below the folder; None where that is not known.
    progress
        Called with (images read, of how many).

    Raises
    ------
    UserError
        If the folder or its table cannot be listed at all.
    """
    part_folders = folder.splitting.split == "folders"
    rows = list_images(folder.root, *folder.table_options, part_folders=part_folders, require_files=False)
    every = rows
    if folder.include is not None and "class" in rows:
        rows = rows[rows["class"].isin(folder.include)].reset_index(drop=True)
    looks = look_at(folder.root, list(rows["file"]), progress)
    problems = [(name, look.problem) for name, look in zip(rows["file"], looks, strict=True) if look.problem]
    problems += odd_ones([(name, look.header) for name, look in zip(rows["file"], looks, strict=True) if look.header])
    table = folder.table_options[0]
    found = survey(folder.root)
    problems += left_out(folder.root, found, by_table=table is not None)
    problems += empty_folders(folder.root, found) if "folder" in rows else []
    problems = compared(problems, folder.root, fetched, () if table is None else every["file"])
    parts, refusal = parts_of(folder, rows)
    if refusal:
        problems.append((".", refusal))
    classes = rows["class"] if "class" in rows else pd.Series("all", rows.index)
    counts = pd.crosstab(classes.rename("class"), pd.Series(parts, rows.index, name="part"))
    counts = counts[[part for part in (*PARTS, "?") if part in counts]]
    return Check(
        counts,
        pd.DataFrame(problems, columns=PROBLEMS).sort_values("file", kind="stable", ignore_index=True),
        duplicates_of(rows["file"], classes, parts, looks),
        summary_of([look.header for look in looks if look.header])
        | ({} if fetched or table is None else beside(folder.root, every["file"], table)),
    )


def look_at(root: Path, names: list[str], progress: Progress | None) -> list[Look]:
    """What each file shows, read in threads."""
    found = []
    for number, look in enumerate(in_threads(lambda path: one_look(path, root), [root / name for name in names]), 1):
        found.append(look)
        if progress is not None and (number % 100 == 0 or number == len(names)):
            progress(number, len(names))
    return found


def one_look(path: Path, root: Path) -> Look:
    """Read one file; a mistake in it is what it shows."""
    header, image, problem = attempt(path, root)
    return Look(header, None if image is None else thumbnail(image), problem)


def beside(root: Path, named: Iterable[str], table: str) -> dict[str, str]:
    """How many images a table does not name, in words: nothing against them, since a table may name a choice."""
    others = unnamed(root, named)
    return {"beside": f"images that {table} does not name: {len(others)}, the first {others[0]}"} if others else {}


def left_out(root: Path, found: Survey, by_table: bool) -> list[tuple[str, str]]:
    """What of a folder is not read; which files are images a table says."""
    unread = [] if by_table else found.unread
    problems = [(path, f"left out: {path.suffix or 'no suffix'} is not read") for path in sorted(unread)]
    problems += [(path, "its name is no text (UTF-8)") for path in sorted(found.unnamed)]
    problems += [(path, f"left out: {reason}") for path, reason in found.closed.items()]
    problems += [(path, "left out: a link that leads back to a folder it lies in") for path in found.loops]
    return [(shown(path.relative_to(root)), problem) for path, problem in problems]


def empty_folders(root: Path, found: Survey) -> list[tuple[str, str]]:
    """Class folders without an image; whether a closed one has some is not known."""
    folders = (folder for folder in subfolders(root) if folder not in found.closed)
    empty = (folder for folder in folders if not any(map(is_image_file, files_below(folder))))
    return [(folder.name, "class folder without an image") for folder in empty]


def parts_of(folder: ImageFolder, rows: pd.DataFrame) -> tuple[NDArray, str]:
    """Part of each row, and why the rows cannot be split; "" where they can."""
    classes = in_order(set(rows["class"])) if "class" in rows else ()
    if len(classes) == 1:
        return np.full(len(rows), "?", dtype=object), f"has a single class, {classes[0]}: two or more are needed"
    try:
        return folder.splitting.parts(rows, classes, folder.table_options[0] or str(folder.root)), ""
    except UserError as error:
        return np.full(len(rows), "?", dtype=object), str(error)


def duplicates_of(files: pd.Series, classes: pd.Series, parts: NDArray, looks: list[Look]) -> pd.DataFrame:
    """Near-duplicates by name, those on two sides of the split first."""
    seen = [number for number, look in enumerate(looks) if look.small is not None]
    pairs = near_duplicates([small for look in looks if (small := look.small) is not None])
    table = {"correlation": pairs["correlation"].to_numpy()}
    for key, prefix in (("one", ""), ("other", "other_")):
        rows = np.array(seen, int)[pairs[key].to_numpy(int)]
        table |= {
            ("other" if prefix else "file"): files.to_numpy()[rows],
            f"{prefix}part": parts[rows],
            f"{prefix}class": classes.to_numpy()[rows],
        }
    columns = ["file", "part", "class", "other", "other_part", "other_class", "correlation"]
    found = pd.DataFrame(table)[columns]
    within = found["part"] == found["other_part"]
    return found.loc[within.sort_values(kind="stable").index].reset_index(drop=True)


def summary_of(headers: list[ImageHeader]) -> dict[str, str]:
    """Channels, types and sizes of files, in words."""
    if not headers:
        return {}
    sides = np.array([header.shape[1:] for header in headers])
    names = Counter(header.names for header in headers)
    types = Counter(str(header.dtype) for header in headers)
    alpha = sum(header.alpha for header in headers)
    return {
        **({"alpha": f"dropped from {alpha} images"} if alpha else {}),
        "channels": "; ".join(f"{', '.join(names)} ({count})" for names, count in names.most_common(4)),
        "pixels": "; ".join(f"{kind} ({count})" for kind, count in types.most_common(4)),
        "height": f"{sides[:, 0].min()} to {sides[:, 0].max()} px, median {int(np.median(sides[:, 0]))}",
        "width": f"{sides[:, 1].min()} to {sides[:, 1].max()} px, median {int(np.median(sides[:, 1]))}",
    }
