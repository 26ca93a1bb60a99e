"""Everything that is wrong with the fields of plates, found in one pass before any cell is looked for."""

from collections import Counter
from collections.abc import Mapping

import numpy as np
import pandas as pd

from micrographia.data.catalogue.comparing import compared
from micrographia.data.catalogue.fetching import Fetched
from micrographia.data.checking import PROBLEMS, Check, duplicates_of, look_at, summary_of
from micrographia.data.decoding import Progress
from micrographia.data.faults import odd_ones
from micrographia.data.planes import ImageHeader
from micrographia.data.plates.cells import PlateCells
from micrographia.data.plates.cropping import number_in
from micrographia.data.plates.fields import Fields
from micrographia.errors import UserError


def check_fields(
    cells: PlateCells, fetched: Mapping[str, Fetched] | None = None, progress: Progress | None = None
) -> Check:
    """Read every file of the fields of plates and say all that is wrong; no cell is looked for.

    Fields are counted by class, and by part where a column decides it: drawn parts are drawn of cells.

    Parameters
    ----------
    cells
        As a config describes them.
    fetched, progress
        As of `check_folder`.
    """
    fields = cells.fields
    names = list(dict.fromkeys(fields.files.to_numpy().ravel()))
    looks = dict(zip(names, look_at(fields.root, names, progress), strict=True))
    problems = [(name, look.problem) for name, look in looks.items() if look.problem]
    headers = {name: look.header for name, look in looks.items() if look.header}
    problems += odd_ones(list(headers.items()))
    problems += odd_sizes(fields, headers)
    problems += wrong_channels(fields, headers)
    problems = compared(problems, fields.root, fetched, names)
    rows, first = fields.rows, fields.files.iloc[:, 0]
    if cells.label not in rows:
        problems.append((".", f"data.label: the fields have no column {cells.label}"))
    classes = rows[cells.label].astype(str) if cells.label in rows else pd.Series("all", rows.index)
    parts = np.full(len(rows), "drawn of cells", dtype=object)
    try:
        if (decided := cells.splitting.decided(rows, "the table of fields")) is not None:
            parts = np.where(decided == "", "train, val", decided).astype(object)
        if cut := cells.splitting.cut_wells(rows, "the table of fields"):
            problems.append((".", f"data.group: {cut}"))
    except UserError as error:
        parts[:] = "?"
        problems.append((".", str(error)))
    return Check(
        pd.crosstab(classes.rename("class"), pd.Series(parts, rows.index, name="part")),
        pd.DataFrame(sorted(set(problems)), columns=PROBLEMS),
        duplicates_of(first, classes, parts, [looks[name] for name in first]),
        summary_of(list(headers.values())),
    )


def odd_sizes(fields: Fields, headers: Mapping[str, ImageHeader]) -> list[tuple[str, str]]:
    """Files whose height and width are not those of most of their plate."""
    found = []
    for plate, rows in fields.rows.groupby("plate", sort=False):
        of_plate = dict.fromkeys(fields.files.loc[rows.index].to_numpy().ravel())  # a file may hold several channels
        there = [(name, headers[name].shape[1:]) for name in of_plate if name in headers]
        usual = Counter(size for _, size in there).most_common(1)
        found += [
            (name, f"has {size} px, most of plate {plate} have {usual[0][0]}")
            for name, size in there
            if size != usual[0][0]
        ]
    return found


def wrong_channels(fields: Fields, headers: Mapping[str, ImageHeader]) -> list[tuple[str, str]]:
    """Files that do not hold the channel that is to be taken from them."""
    found = []
    for channel in fields.channels:
        for name in dict.fromkeys(fields.files[channel]):
            if name not in headers:
                continue
            try:
                number_in(headers[name].names, fields.planes.get(channel), channel, name)
            except UserError as error:
                found.append((name, str(error).removeprefix(f"{name}: ")))
    return found
