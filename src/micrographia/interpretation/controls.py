"""The two conditions that a config, or else the data set itself, names to be told apart."""

from typing import Any

import pandas as pd

from micrographia.data.datamodule import IndexedImages, all_indices
from micrographia.data.splits import some
from micrographia.errors import UserError
from micrographia.runs.run import What
from micrographia.scores.wells import Comparison


def controls_of(data: IndexedImages, what: What) -> Comparison | None:
    """The controls that the config names, else the data set's own, if it has any."""
    key, given = "contrast", what["contrast"]
    if given is None and data.controls is not None:
        key, given = "data.controls", dict(zip(("column", "negative", "positive"), data.controls, strict=True))
    if given is None:
        return None
    if given["column"] not in (columns := data.table(data.indices("train"))):
        raise UserError(
            f"{key}.column: the table of {data.name} has no column {given['column']}. "
            f"It has {', '.join(map(str, columns))}."
        )
    well = given.get("well", Comparison().well)
    for kind in ("well", "replicate", "block"):
        if given.get(kind) is not None and given[kind] not in columns:
            raise UserError(
                f"{key}.{kind}: the table of {data.name} has no column {given[kind]}. "
                f"It has {', '.join(map(str, columns))}."
            )
    table = data.table(all_indices(data))
    for name in (given["column"], well, given.get("replicate"), given.get("block")):
        if name in columns and (missing := int(table[name].isna().sum())):
            raise UserError(f"{key}: {missing} rows of the table of {data.name} have no {name}. Fill it in.")
    found = {as_text(value) for value in table[given["column"]]}
    for control in ("negative", "positive"):
        if as_text(given[control]) not in found:
            raise UserError(
                f"{key}.{control}={given[control]}: no such value in the column {given['column']} of {data.name}. "
                f"It holds {some(sorted(found))}."
            )
    return Comparison(given["column"], as_text(given["negative"]), as_text(given["positive"]), well)


def as_text(value: Any) -> str:
    """A condition as text, numbers in one way whatever their type.

    Examples
    --------
    >>> as_text(10.0), as_text("10"), as_text(12345679), as_text("DMSO")
    ('10', '10', '12345679', 'DMSO')
    """
    try:
        return f"{float(value):.15g}"
    except ValueError:
        return str(value)


def with_text(table: pd.DataFrame, controls: Comparison | None) -> pd.DataFrame:
    """A table whose conditions are text, as the config names them."""
    if controls is None:
        return table
    return table.assign(**{controls.condition: table[controls.condition].map(as_text)})
