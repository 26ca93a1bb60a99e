"""Which images a folder holds and what is known of them: class folders or a table."""

import logging
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import pandas as pd

from micrographia.data.reading import SUFFIXES, files_below, is_image_file, is_there
from micrographia.data.splits import PART_OF, some
from micrographia.data.splitting import in_order
from micrographia.data.survey import is_text, report, shown
from micrographia.errors import UserError
from micrographia.runs.walking import walk

log = logging.getLogger(__name__)


def list_images(
    root: Path, table: str | None, file: str, label: str | None, part_folders: bool, require_files: bool = True
) -> pd.DataFrame:
    """One row per image, sorted by file name.

    Parameters
    ----------
    root
        The data set's folder.
    table
        CSV (or TSV) of the images, absolute, or relative to the working directory or to ``root``; None takes class
        folders where there are any, else the folder's only CSV.
    file, label
        The table's columns of file names (relative to ``root``) and of classes; no label: images without classes.
    part_folders
        Class folders lie in folders of their part (``train/``, ``test/``), which become a column ``part``.
    require_files
        Refuse a table that names files which are not there, class folders without an image, and folders that must not
        be read; else these are left out, and that is said.

    Returns
    -------
    DataFrame with ``file`` and ``class`` (text) and, of a table, its other columns; of class folders, ``folder``: where
    in its class folder the file lies. Images that lie loosely in ``root``, with neither folders nor a table, have no
    ``class``.

    Raises
    ------
    UserError
        If nothing is found, a class folder is empty, or the table is faulty; files and keys are named.
    """
    if not root.is_dir():
        raise UserError(f"data.root: {root} is no folder.")
    if table is None:
        report(root, stop=require_files)
    if table is not None:
        rows = read_table(root, named_table(root, table), file, label, require_files)
    elif label is None or is_loose(root):
        rows = list_loose(root, require_files)
    elif folders := subfolders(root):
        rows = (
            list_part_folders(root, folders, require_files)
            if part_folders
            else list_class_folders(root, folders, require_files)
        )
        if unused := sorted(path.name for path in root.glob("*.csv")):
            log.info("%s: class folders are used; data.table=%s would use the table.", root, unused[0])
    else:
        rows = read_table(root, only_table(root), file, label, require_files)
    return rows.sort_values("file", kind="stable", ignore_index=True)


def is_loose(root: Path) -> bool:
    """Whether a folder holds images, and neither folders nor a table that could tell their classes."""
    return not subfolders(root) and not any(root.glob("*.csv")) and any(is_image_file(path) for path in root.iterdir())


def chosen_classes(
    rows: pd.DataFrame, include: Sequence[str] | None, root: Path, by_table: bool
) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """The rows of the classes that are used, and these in order; none of images without classes.

    Raises
    ------
    UserError
        If a class to use does not occur, or a single one is left.
    """
    if include is not None:
        if "class" not in rows:
            raise UserError("data.include: the images have no classes to choose from. Set it to null.")
        if unknown := sorted(set(include) - set(rows["class"])):
            known = some(in_order(set(rows["class"])))
            raise UserError(f"data.include: no class {some(unknown)}. {root} has {known}.")
        rows = rows[rows["class"].isin(include)].reset_index(drop=True)
    classes = in_order(set(rows["class"])) if "class" in rows else ()
    if len(classes) == 1 and include is not None:
        raise UserError(f"data.include: a single class, {classes[0]}, is left. Name two or more.")
    if len(classes) == 1:
        tables = [] if by_table else sorted(path.name for path in root.glob("*.csv"))
        raise UserError(
            f"data.root: {root} has a single class, {classes[0]}. Two or more are needed; "
            + (f"data.table={tables[0]} takes them from the table, " if tables else "")
            + "data.label=null reads the images without classes."
        )
    return rows, classes


def images_below(folder: Path, require_files: bool = True) -> list[Path]:
    """Image files at any depth, sorted; those whose names are no text are refused, or left out and counted."""
    files = sorted(path for path in files_below(folder) if is_image_file(path))
    if unnamed := [path for path in files if not is_text(path)]:
        what = f"{shown(unnamed[0])}: its name is no text (UTF-8), and {len(unnamed)} in all"
        if require_files:
            raise UserError(f"{what}. Rename the file.")
        log.warning("%s left out.", what)
    return [path for path in files if is_text(path)]


def list_loose(root: Path, require_files: bool = True) -> pd.DataFrame:
    """All images of a folder, at any depth, without classes."""
    files = sorted(path.relative_to(root) for path in images_below(root, require_files))
    if not files:
        raise UserError(f"data.root: {root} holds no images ({', '.join(SUFFIXES)}).")
    return pd.DataFrame({"file": [path.as_posix() for path in files]})


def subfolders(folder: Path) -> list[Path]:
    """Folders in a folder, sorted, without hidden ones, images (Zarr) and links that lead back."""
    _, names, _ = next(walk(folder), (folder, [], []))
    return [folder / name for name in names if not is_image_file(folder / name)]


def list_class_folders(root: Path, folders: Sequence[Path], require_files: bool = True) -> pd.DataFrame:
    """Images of class folders, at any depth below them."""
    part_like = [folder for folder in folders if part_of_folder(folder)]
    if len({part_of_folder(folder) for folder in part_like}) > 1:
        refuse_part_folders(root, part_like)
    rows = []
    for folder in folders:
        files = images_below(folder, require_files)
        if not files and require_files:
            raise UserError(
                f"{folder}: class folder without an image ({', '.join(SUFFIXES)}). Remove it, or name a table "
                "(data.table=FILE.csv) if it is none."
            )
        for path in files:
            inner = path.parent.relative_to(folder).as_posix()
            rows.append((path.relative_to(root).as_posix(), folder.name, inner))
    return pd.DataFrame(rows, columns=["file", "class", "folder"])


def refuse_part_folders(root: Path, folders: Sequence[Path]) -> None:
    """Raise where folders that are named for parts (train, test) would be taken for classes."""
    names = ", ".join(folder.name for folder in folders)
    if any(subfolders(folder) for folder in folders):
        raise UserError(f"data.root: {root} holds the folders {names}: use their split with data.split=folders.")
    tables = sorted(path.name for path in root.glob("*.csv"))
    how = f"data.table={tables[0]} reads the classes" if tables else "give each a folder for every class"
    raise UserError(f"data.root: the folders {names} of {root} are named for parts, not for classes: {how}.")


def list_part_folders(root: Path, folders: Sequence[Path], require_files: bool = True) -> pd.DataFrame:
    """Images of class folders in folders of their part."""
    tables, seen = [], dict[str, str]()
    for folder in folders:
        if not (part := part_of_folder(folder)):
            continue
        if part in seen:
            raise UserError(f"data.split: both {seen[part]} and {folder.name} in {root} could be {part}. Rename one.")
        seen[part] = folder.name
        if not (classes := subfolders(folder)):
            raise UserError(f"data.split=folders: {folder} has no class folders. Give it one for every class.")
        rows = list_class_folders(folder, classes, require_files)
        rows["file"] = folder.name + "/" + rows["file"]
        tables.append(rows.assign(part=part))
    if not {"train", "test"} <= set(seen):
        names = some([folder.name for folder in folders])
        raise UserError(f"data.split=folders: {root} needs folders named train... and test.... It holds {names}.")
    return pd.concat(tables, ignore_index=True)


def part_of_folder(folder: Path) -> str:
    """Part that a folder's name begins with (``train_annotated``, ``TEST_IMAGE``), else ""."""
    word = folder.name.lower().replace("-", "_").split("_")[0]
    return PART_OF.get(word, "")


def named_table(root: Path, table: str) -> Path:
    """Path of the table that ``data.table`` names."""
    for path in (Path(table), root / table):
        if path.is_file():
            return path
    raise UserError(f"data.table: {table} does not exist, neither there nor in {root}.")


def only_table(root: Path) -> Path:
    """The one CSV of a folder without class folders."""
    tables = sorted(path for path in root.glob("*.csv") if path.is_file())
    if not tables:
        raise UserError(f"data.root: {root} holds no images. Put each class in a folder, or add a CSV.")
    if len(tables) > 1:
        names = ", ".join(path.name for path in tables)
        raise UserError(f"data.table: {root} holds several tables ({names}). Name one: data.table={tables[0].name}.")
    return tables[0]


def read_table(root: Path, path: Path, file: str, label: str | None, require_files: bool = True) -> pd.DataFrame:
    """Read and check a table of images."""
    named = {"file": file} if label is None else {"file": file, "label": label}
    separator = "\t" if path.suffix.lower() == ".tsv" else ","
    # Types are inferred from whole columns: by parts, one plate could be both 1 and "1", and so two groups.
    options: dict[str, Any] = {"sep": separator, "encoding": "utf-8-sig", "index_col": False, "low_memory": False}
    try:
        table = pd.read_csv(path, **options)
        for key, column in named.items():
            if column not in table:
                names = ", ".join(map(str, table.columns))
                raise UserError(f"data.{key}: {path} has no column {column}. It has {names}.")
        # Read once more as text: a class may be written "NA" or "01".
        written = pd.read_csv(path, dtype=str, keep_default_na=False, **options)
    except (ValueError, OSError) as error:  # pandas' parser and decoding errors are ValueErrors
        raise UserError(f"{path}: cannot be read as a table ({str(error).splitlines()[0]}).") from error
    columns = list(named.values())
    for column in table.select_dtypes(exclude=["number", "bool"]):
        table[column] = written[column].str.strip().where(table[column].notna())
    table[columns] = written[columns]
    if table.empty:
        raise UserError(f"{path}: names no images.")
    for column in columns:
        empty = table[column].str.strip() == ""
        if empty.any():
            raise UserError(
                f"{path}: row {int(empty.to_numpy().argmax()) + 2} has no {column}. Fill it in or remove the row."
            )
    # A column that would hide behind the two fixed names keeps its content under another.
    fixed = dict(zip(("file", "class"), columns, strict=False))
    taken = {name: f"table_{name}" for name in fixed if name in table and name not in columns}
    table = table.rename(columns=taken).rename(columns={column: name for name, column in fixed.items()})
    table["file"] = [PurePosixPath(name.strip().replace("\\", "/")).as_posix() for name in table["file"]]
    if label is not None:
        table["class"] = table["class"].str.strip()
    twice = table["file"].duplicated().to_numpy()
    if twice.any():
        row = int(twice.argmax())
        raise UserError(
            f"{path}: names {table['file'].iloc[row]} twice (row {row + 2}): the same image could be in two parts."
        )
    outside = [name for name in table["file"] if Path(name).is_absolute() or ".." in Path(name).parts]
    if outside:
        raise UserError(
            f"{path}: {len(outside)} of {len(table)} files lie outside {root}, the first {outside[0]}. "
            "Set data.root to a folder that holds them all: a run is known by the images in it."
        )
    missing = [name for name in table["file"] if not is_there(root / name)]
    if missing and require_files:
        raise UserError(
            f"{path}: {len(missing)} of {len(table)} files do not exist below {root}, the first {missing[0]}."
        )
    front = list(fixed)
    return table[front + [column for column in table.columns if column not in front]]
