"""BBBC021: 55 plates in 55 archives, and the tables that say what is on each."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from micrographia.data.catalogue.public_set import Download, PublicSet
from micrographia.errors import UserError

ADDRESS = "https://data.broadinstitute.org/bbbc/BBBC021"
IMAGES, MECHANISMS = "BBBC021_v1_image.csv", "BBBC021_v1_moa.csv"
PLATES = 55
PLATE, COMPOUND = "Image_Metadata_Plate_DAPI", "Image_Metadata_Compound"
ARCHIVE_BYTES = 840_000_000  # of one plate, about

BBBC021 = PublicSet(
    name="bbbc021",
    about="MCF-7 cells under 113 compounds at 8 concentrations, DAPI, tubulin and actin, 16 bit",
    folder="hcs/bbbc021",
    page="https://bbbc.broadinstitute.org/BBBC021",
    licence="CC BY-NC-SA 3.0 (recalled): not for commerce, share alike",
    citation="Caie et al., Molecular Cancer Therapeutics 2010; Ljosa et al., Nature Methods 2012 (BBBC021v1)",
    reader="bbbc021/fields",
    images=39_600,
    classed=f"by table: the mechanism of action of a compound at a concentration ({MECHANISMS}), or DMSO",
    pixels="1280 x 1024 px (recalled)",
    megabytes=PLATES * ARCHIVE_BYTES // 10**6,
    layout=f"<plate>/<file>.tif, a file per channel; {IMAGES}, {MECHANISMS}",
    preparation="crops around nuclei; splits by plate, by compound or by week",
    downloads=(Download(f"{ADDRESS}/{IMAGES}"), Download(f"{ADDRESS}/{MECHANISMS}")),
)


def plates(folder: Path, weeks: Sequence[int] | str | None, compounds: Sequence[str] | None) -> list[str]:
    """Names of the plates (as ``Week1_22123``) that hold what is wanted, by the table of images in the folder.

    Parameters
    ----------
    weeks
        Numbers, ``"all"``, or None: all, if compounds are named.
    compounds
        Names in the table; a plate is taken if it holds one of them. None takes all.

    Raises
    ------
    UserError
        If neither is given, or the table knows no such week or compound.
    """
    try:
        table = pd.read_csv(folder / IMAGES, usecols=[PLATE, COMPOUND], dtype=str)
    except ValueError as error:
        raise UserError(
            f"{folder / IMAGES}: is not the set's table ({str(error).splitlines()[0]}). Delete it and fetch it again."
        ) from error
    known = sorted(table[PLATE].unique(), key=lambda name: (week_of(name), name))
    if weeks is None and compounds is None:
        raise UserError(
            f"bbbc021: its {len(known)} plates take about {len(known) * ARCHIVE_BYTES / 1e9:.0f} GB. Name some: "
            "weeks=[1], compounds=[taxol], or weeks=all."
        )
    if isinstance(weeks, Sequence) and not isinstance(weeks, str):
        there = sorted({week_of(name) for name in known})
        if unknown := sorted(set(weeks) - set(there)):
            raise UserError(f"weeks: no plate is of week {unknown[0]}. Weeks: {', '.join(map(str, there))}.")
        known = [name for name in known if week_of(name) in weeks]
    elif weeks not in (None, "all"):
        raise UserError(f"weeks={weeks}: expected numbers, as weeks=[1,4], or weeks=all.")
    if compounds is not None:
        names = set(table[COMPOUND].dropna())
        if missing := sorted(set(compounds) - names):
            raise UserError(f"compounds: {missing[0]} is not in the table. It has {', '.join(sorted(names)[:8])}, ...")
        holding = set(table.loc[table[COMPOUND].isin(list(compounds)), PLATE])
        known = [name for name in known if name in holding]
    if not known:
        raise UserError("bbbc021: no plate of these weeks holds one of these compounds. Drop one of the two.")
    return known


def week_of(plate: str) -> int:
    """Week of a plate.

    Examples
    --------
    >>> week_of("Week10_40111")
    10
    """
    return int(plate.removeprefix("Week").split("_")[0])


def archives(names: Sequence[str]) -> list[Download]:
    """The archives of plates; each unpacks to a folder of the plate's name."""
    return [Download(f"{ADDRESS}/BBBC021_v1_images_{name}.zip", size=ARCHIVE_BYTES) for name in names]
