"""Which fields of view a plate has, which files hold their channels, and what was done to the cells in them."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath

import numpy as np
import pandas as pd

from micrographia.data.reading import is_there
from micrographia.errors import UserError

ROWS, COLUMNS = "ABCDEFGH", 12  # of a plate of 96 wells


@dataclass(frozen=True)
class Fields:
    """Fields of view.

    Attributes
    ----------
    root : Path
        Folder that the files' names are relative to.
    rows : DataFrame
        A row per field: ``plate``, ``well``, ``site`` (text), ``class``, and what else is known of it.
    files : DataFrame
        A column of file names per channel, in the order of ``rows``; the first one shows the nuclei.
    planes : dict of channels to int or str
        Number (from 0) or name of the channel in its file, where files hold several.
    """

    root: Path
    rows: pd.DataFrame
    files: pd.DataFrame
    planes: Mapping[str, int | str] = field(default_factory=dict)

    @property
    def channels(self) -> tuple[str, ...]:
        """Names of the channels."""
        return tuple(str(name) for name in self.files)

    def paths(self, row: int) -> list[Path]:
        """Files of one field, a file per channel."""
        return [self.root / name for name in self.files.iloc[row]]

    def require_files(self) -> None:
        """Raise if a file is not there."""
        missing = [name for name in self.files.to_numpy().ravel() if not is_there(self.root / name)]
        if missing:
            raise UserError(
                f"data.fields.root: {len(missing)} of {self.files.size} files are not in {self.root}, "
                f"the first {missing[0]}. Fetch the plates that hold them, or choose fewer."
            )


def bbbc021(
    root: str,
    weeks: Sequence[int] | None = None,
    plates: Sequence[str] | None = None,
    compounds: Sequence[str] | None = None,
    annotated: bool = False,
) -> Fields:
    """BBBC021: DAPI, tubulin and actin; the class is the mechanism of action, ``DMSO`` of the controls.

    Parameters
    ----------
    root
        Folder with ``BBBC021_v1_image.csv``, ``BBBC021_v1_moa.csv`` and a folder for each plate.
    weeks, plates, compounds
        Take only these; None takes all plates that are there.
    annotated
        Leave out treatments whose mechanism is not known; else their class is ``unknown``.

    Notes
    -----
    Concentrations are in micromolar. A treatment is a compound at a concentration.
    """
    from micrographia.data.catalogue.bbbc021 import IMAGES, MECHANISMS, week_of

    folder = existing_folder(root)
    table = read_csv(folder / IMAGES)
    known = read_csv(folder / MECHANISMS)
    rows = pd.DataFrame(
        {
            "plate": column(table, "Image_Metadata_Plate_DAPI", folder / IMAGES),
            "well": column(table, "Image_Metadata_Well_DAPI", folder / IMAGES),
            "compound": column(table, "Image_Metadata_Compound", folder / IMAGES),
            "concentration": pd.to_numeric(column(table, "Image_Metadata_Concentration", folder / IMAGES)),
            "replicate": column(table, "Replicate", folder / IMAGES),
        }
    )
    names = {
        channel: rows["plate"] + "/" + column(table, f"Image_FileName_{channel}", folder / IMAGES)
        for channel in ("DAPI", "Tubulin", "Actin")
    }
    rows["site"] = names["DAPI"].str.extract(r"_(s\d+)_", expand=False).fillna("s1")
    rows["week"] = [week_of(str(plate)) for plate in rows["plate"]]
    keys = zip(known["compound"], rounded(known["concentration"]), strict=True)
    mechanism = dict(zip(keys, known["moa"], strict=True))
    treatments = zip(rows["compound"], rounded(rows["concentration"]), strict=True)
    rows["class"] = ["DMSO" if pair[0] == "DMSO" else str(mechanism.get(pair, "unknown")) for pair in treatments]
    kept = pd.Series(True, rows.index)
    for name, wanted in (("week", weeks), ("plate", plates), ("compound", compounds)):
        if wanted is not None:
            kept &= rows[name].isin(list(wanted))
    if plates is None and weeks is None:
        there = {path.name for path in folder.iterdir() if path.is_dir()}
        kept &= rows["plate"].isin(there)
    if annotated:
        kept &= rows["class"] != "unknown"
    return chosen(folder, rows, pd.DataFrame(names), kept, "weeks, plates, compounds")


def bbbc013(root: str) -> Fields:
    """BBBC013: DNA and FKHR-GFP of U2OS cells; wortmannin in rows A to D (nM), LY294002 in rows E to H (uM).

    The class is ``control`` (no drug), ``positive`` (150 nM, 80 uM) or ``treated``. Column 12 of rows E to H has no
    drug and is no control; its class is ``empty``.
    """
    folder = existing_folder(root)
    doses = plate_map(folder / "BBBC013_v1_platemap_all.txt")
    files = named_by_well(
        folder / "BBBC013_v1_images_bmp", r"Channel(?P<channel>\d)-\d+-(?P<row>[A-H])-(?P<column>\d+)\.bmp"
    )
    rows = wells(files, doses)
    lower = rows["row"].isin(list("EFGH"))
    rows["compound"] = np.where(lower, "LY294002", "wortmannin")
    rows["class"] = "treated"
    rows.loc[rows["dose"] == 0, "class"] = "control"
    rows.loc[~lower & (rows["column"] == 12), "class"] = "positive"
    rows.loc[lower & (rows["column"] == 1), "class"] = "positive"
    rows.loc[lower & (rows["column"] == 12), "class"] = "empty"
    return ravkin(folder, rows.assign(plate="BBBC013"), files, {"DNA": "2", "GFP": "1"})


def bbbc014(root: str) -> Fields:
    """BBBC014: DAPI and NF-kB (FITC); MCF7 cells in rows A to D, A549 in rows E to H, TNF-alpha by column.

    The class is ``control`` (no TNF-alpha), ``positive`` (the highest dose) or ``treated``.
    """
    folder = existing_folder(root)
    doses = plate_map(folder / "BBBC014_v1_platemap_all.txt")
    pattern = r"Channel (?P<channel>\d)-\d+-(?P<row>[A-H])-(?P<column>\d+).*\.bmp"
    files = named_by_well(folder / "BBBC014_v1_images", pattern)
    rows = wells(files, doses)
    rows["cells"] = np.where(rows["row"].isin(list("EFGH")), "A549", "MCF7")
    highest = rows["dose"].max()
    rows["class"] = ["control" if dose == 0 else "positive" if dose == highest else "treated" for dose in rows["dose"]]
    return ravkin(folder, rows.assign(plate="BBBC014"), files, {"DAPI": "2", "FITC": "1"})


def sbs(root: str) -> Fields:
    """The SBS plate 1049 that CellProfiler ships: DNA and FKHR-GFP, doses 0 to 10 in rows A to D and again in E to H.

    The class is ``control``, ``positive`` or ``treated``, as the plate's table marks its wells; fields are taken that
    are there.
    """
    folder = existing_folder(root)
    path = folder / "plate_1049_metadata.csv"
    table = read_csv(path)
    number = pd.to_numeric(column(table, "Column", path))
    rows = pd.DataFrame(
        {
            "plate": "1049",
            "row": column(table, "Row", path),
            "column": number,
            "dose": pd.to_numeric(column(table, "SBS_Doses", path)),
            "site": "s1",
        }
    )
    rows["well"] = rows["row"] + number.map("{:02}".format)
    marked = {"-1": "control", "0": "treated", "1": "positive"}
    rows["class"] = column(table, "SBS_Controls", path).map(marked)
    files = pd.DataFrame(
        {name: "fields/" + rows["well"] + f"_{stem}.png" for name, stem in (("DNA", "dna"), ("GFP", "fkhr_gfp"))}
    )
    there = files["DNA"].map(lambda name: (folder / name).is_file())
    return chosen(folder, rows, files, there, "wells")


def plate_of_files(
    root: str, table: str, channels: Mapping[str, str | Sequence[str | int]], label: str = "class"
) -> Fields:
    """Fields of your own: a CSV with a row per field.

    Parameters
    ----------
    root
        Folder of the images.
    table
        CSV with ``plate``, ``well`` and the columns that follow; ``site`` where a well has several fields.
    channels
        Name of each channel, to the column with its files' names relative to ``root``, or, where files hold several
        channels, to column and number or name: ``{DNA: [file, 0], GFP: [file, 1]}``. The first one shows the nuclei.
    label
        Column of the classes.
    """
    folder = existing_folder(root)
    path = next((place for place in (Path(table), folder / table) if place.is_file()), None)
    if path is None:
        raise UserError(f"data.fields.table: {table} does not exist, neither there nor in {folder}.")
    content = read_csv(path)
    for name, source in channels.items():
        if not isinstance(source, str) and len(source) != 2:
            raise UserError(
                f"data.fields.channels.{name}: expected COLUMN or [COLUMN, NUMBER], as [file, 0], not {list(source)}."
            )
    columns = {name: source if isinstance(source, str) else str(source[0]) for name, source in channels.items()}
    planes = {name: source[1] for name, source in channels.items() if not isinstance(source, str)}
    needed = {"plate": "plate", "well": "well", "class": label, **columns}
    found = {name: column(content, source, path) for name, source in needed.items()}
    rows = content.drop(columns=[source for source in needed.values() if source in content])
    rows = rows.assign(**{name: found[name].str.strip() for name in ("plate", "well", "class")})
    rows["site"] = content["site"].str.strip() if "site" in content else "s1"
    files = pd.DataFrame({name: found[name].str.strip().map(as_path) for name in channels})
    require_sound(rows, files, path)
    return replace(chosen(folder, rows, files, pd.Series(True, rows.index), ""), planes=planes)


def as_path(text: str) -> str:
    """A file's name written in one way: ``./a.tif`` and ``a.tif`` are one file."""
    return PurePosixPath(text).as_posix() if text else ""


def require_sound(rows: pd.DataFrame, files: pd.DataFrame, path: Path) -> None:
    """Raise if a table of fields could put one image on two sides, or leaves its folder.

    Raises
    ------
    UserError
        If a cell is empty, a field or file is named twice, a well is written in two ways, or a file lies outside.
    """
    for name in ("plate", "well", "class", *files):
        values = (files if name in files else rows)[name].str.strip()
        if (values == "").any():
            raise UserError(f"{path}: row {int((values == '').to_numpy().argmax()) + 2} has no {name}. Fill it in.")
    names = [set(map(str, row)) for row in files.to_numpy()]
    outside = [name for row in names for name in sorted(row) if Path(name).is_absolute() or ".." in Path(name).parts]
    if outside:
        raise UserError(
            f"{path}: {outside[0]} lies outside data.fields.root. Set it to a folder that holds all fields: a run is "
            "known by the images in it."
        )
    seen: dict[str, int] = {}
    for number, row in enumerate(names):
        for name in row:
            if name in seen:
                raise UserError(
                    f"{path}: rows {seen[name] + 2} and {number + 2} both name {name}: one image could be in two parts."
                )
            seen[name] = number
    written: dict[tuple[str, str], str] = {}
    for plate, well in zip(rows["plate"], rows["well"], strict=True):
        known = written.setdefault((plate, re.sub(r"^([A-Za-z]+)0*(\d+)$", r"\1\2", well).upper()), well)
        if known != well:
            raise UserError(f"{path}: plate {plate} has wells {known} and {well}. Write them in one way.")


def existing_folder(root: str) -> Path:
    """A folder that a key names."""
    folder = Path(root)
    if not folder.is_dir():
        raise UserError(f"data.fields.root: {folder} is no folder. Set it, or how.paths.data=FOLDER.")
    return folder


def read_csv(path: Path) -> pd.DataFrame:
    """A table, line ends of any kind."""
    try:
        return pd.read_csv(path, dtype=str, keep_default_na=False)
    except FileNotFoundError as error:
        raise UserError(f"{path}: no such file. Fetch the set again.") from error
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: cannot be read as a table ({str(error).splitlines()[0]}).") from error


def column(table: pd.DataFrame, name: str, path: Path) -> pd.Series:
    """A column that must be there."""
    if name not in table:
        raise UserError(f"{path}: has no column {name}. It has {', '.join(table.columns)}.")
    return table[name]


def plate_map(path: Path) -> dict[str, float]:
    """Doses of 96 wells, row by row, as text files of numbers list them."""
    try:
        words = path.read_text().split()
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror}). Fetch the set again.") from error
    numbers = [float(word) for word in words if re.fullmatch(r"-?\d+(\.\d*)?([eE][-+]?\d+)?", word)]
    if len(numbers) != len(ROWS) * COLUMNS:
        raise UserError(f"{path}: holds {len(numbers)} doses, a plate has {len(ROWS) * COLUMNS} wells.")
    places = [f"{row}{number:02}" for row in ROWS for number in range(1, COLUMNS + 1)]
    return dict(zip(places, numbers, strict=True))


def named_by_well(folder: Path, pattern: str) -> pd.DataFrame:
    """Files whose names tell channel, row and column of the plate; ``file`` is relative to the folder's parent.

    Of each well, ``before`` and ``after`` are what stands around the channel's number, which tells how a file that is
    missing would be named.
    """
    existing_folder(str(folder))
    found = []
    for path in sorted(folder.iterdir()):
        if match := re.fullmatch(pattern, path.name, re.IGNORECASE):
            start, end = match.span("channel")
            around = {"before": f"{folder.name}/{path.name[:start]}", "after": path.name[end:]}
            found.append({"file": f"{folder.name}/{path.name}", **around, **match.groupdict()})
    if not found:
        raise UserError(f"data.fields.root: {folder} holds no files named as the set's. Fetch it again.")
    table = pd.DataFrame(found)
    table["column"] = table["column"].astype(int)
    table["well"] = table["row"].str.upper() + table["column"].map("{:02}".format)
    return table


def wells(files: pd.DataFrame, doses: Mapping[str, float]) -> pd.DataFrame:
    """A row per well of which there are files, with its dose."""
    rows = files.drop_duplicates("well").sort_values("well", ignore_index=True)[["well", "row", "column"]]
    return rows.assign(dose=rows["well"].map(dict(doses)), site="s1")


def ravkin(folder: Path, rows: pd.DataFrame, files: pd.DataFrame, channels: Mapping[str, str]) -> Fields:
    """Fields of a plate with one field in a well and a file per channel, by the name that it has or should have."""
    if (twice := files.duplicated(["well", "channel"], keep=False)).any():
        one, other = files.loc[twice].sort_values(["well", "channel"], kind="stable")["file"].iloc[:2]
        raise UserError(f"{folder}: {one} and {other} are of one well and channel. Keep one of them.")
    by_channel = files.pivot(index="well", columns="channel", values="file").reindex(rows["well"])
    sibling = files.drop_duplicates("well").set_index("well").loc[rows["well"]]
    names = {}
    for name, number in channels.items():
        expected = sibling["before"] + number + sibling["after"]
        names[name] = (by_channel[number].fillna(expected) if number in by_channel else expected).to_numpy()
    return chosen(folder, rows, pd.DataFrame(names), pd.Series(True, rows.index), "")


def chosen(folder: Path, rows: pd.DataFrame, files: pd.DataFrame, kept: pd.Series, keys: str) -> Fields:
    """The fields that are wanted, in the order of plates, wells and sites."""
    if not kept.any():
        raise UserError(f"data.fields: no field in {folder} is of these {keys}.")
    order = rows[kept].sort_values(["plate", "well", "site"], kind="stable").index
    return Fields(folder, rows.loc[order].reset_index(drop=True), files.loc[order].reset_index(drop=True))


def rounded(values: pd.Series) -> list[float]:
    """Concentrations to four digits: two tables write them differently."""
    return [float(f"{float(value):.4g}") for value in values.to_numpy()]
