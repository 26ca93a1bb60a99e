"""Recovered images as files beside a user's own: OME-TIFF in the type, range and channels of what they were made of."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from micrographia.data.image_folder import ImageFolder
from micrographia.data.restoring import write_ome_tiff
from micrographia.inversion.solutions import Solutions
from micrographia.runs.run import Run
from micrographia.tasks.subjects import Subjects


def write_images(recovered: Mapping[str, Solutions], subjects: Subjects, data: ImageFolder, run: Run) -> None:
    """Write each image's first solution as ``images/<method>/<file>.ome.tif``, in the units of the image's file."""
    names = distinct(subjects.known["file"].tolist())
    for method, solutions in recovered.items():
        for key, name, item in zip(solutions.keys.tolist(), names, solutions.images[:, 0], strict=True):
            if item.isfinite().all():
                file = run.folder / "images" / method / name
                write_ome_tiff(file, *data.restored(key, item.numpy()))


def distinct(files: Sequence[str]) -> list[Path]:
    """Where the OME-TIFF of each file is written; where two would be one, their types stay in the names.

    Examples
    --------
    >>> [path.name for path in distinct(["a.png", "b.png", "b.tif"])]
    ['a.ome.tif', 'b.png.ome.tif', 'b.tif.ome.tif']
    """
    plain = [below(name) for name in files]
    several = {path for path, count in Counter(plain).items() if count > 1}
    return [
        path.with_name(f"{Path(name).name}.ome.tif") if path in several else path
        for path, name in zip(plain, files, strict=True)
    ]


def below(name: str) -> Path:
    """Where in a folder the OME-TIFF of a file is written: never above it, whatever the table says.

    Examples
    --------
    >>> below("a/cell.png").as_posix(), below("/data/../b.tif").as_posix()
    ('a/cell.ome.tif', 'data/b.ome.tif')
    >>> below("cell.ome.tif").as_posix()
    'cell.ome.tif'
    """
    path = Path(name)
    inner = Path(*[part for part in path.parts if part not in ("..", path.anchor)]).with_suffix("")
    stem = inner.stem if inner.suffix.lower() == ".ome" else inner.name
    return inner.with_name(f"{stem}.ome.tif")
