"""Images of a data set as a model sees them, with what is known of each."""

import io
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from micrographia.api.settings import Overrides, overrides_of
from micrographia.errors import UserError

COLUMNS = 6  # of a sheet
DPI = 100


@dataclass(frozen=True)
class Images:
    """Images and what is known of them: the last value of a notebook's cell is shown as a sheet of them.

    Attributes
    ----------
    name : str
        Of the data set.
    pixels : array
        ``(n, channels, side, side)``, float32 in 0..1.
    table : DataFrame
        A row per image: its class, if it has one, and what the set knows beside it.
    """

    name: str
    pixels: NDArray[np.float32]
    table: pd.DataFrame

    def __len__(self) -> int:
        return len(self.pixels)

    def __repr__(self) -> str:
        return f"Images({self.name!r}, {len(self)} of {self.pixels.shape[1:]})"

    def _repr_png_(self) -> bytes:
        """A sheet of the images, each with its class."""
        import torch

        from micrographia.plots.images import contact_sheet

        titles = [str(name) for name in self.table.get("class", self.table.index)]
        figure = contact_sheet(torch.from_numpy(self.pixels), titles, COLUMNS)
        buffer = io.BytesIO()
        figure.savefig(buffer, format="png", dpi=DPI, bbox_inches="tight")
        return buffer.getvalue()


def preview(
    data: str, /, *, count: int | None = 12, part: str = "train", overrides: Overrides = None, **settings: Any
) -> Images:
    """Look at a data set before anything is trained on it: images as a model sees them, and their table.

    Parameters
    ----------
    data
        A choice of the group ``data``, as ``synthetic/cells`` or ``plankton/ndsb``.
    count
        How many images, evenly from the part; None takes all.
    part
        ``train``, ``val`` or ``test``.
    overrides
        Further settings, as ``{"data.root": "my images"}`` or ``["data.size=128"]``.
    settings
        The same as keyword arguments, as ``data={"size": 128}``.

    Raises
    ------
    UserError
        If the set or a setting is not there, or the part has no image.

    Examples
    --------
    >>> found = preview("synthetic/cells", count=4, data={"count": 60})
    >>> found.pixels.shape, found.table.columns[0]
    ((4, 3, 64, 64), 'class')
    """
    from typing import get_args

    from micrographia.data.datamodule import Part, spread, unit_range
    from micrographia.tasks.assembly import build_data
    from micrographia.tasks.inspecting import inspection, naming_fetch

    if part not in get_args(Part):
        raise UserError(f"part={part}: no such part. There are: {', '.join(get_args(Part))}.")
    what, how = inspection(data, overrides_of(settings, overrides))
    with naming_fetch(data, how):
        images = build_data(what, how)
    indices = images.indices(part)  # type: ignore[arg-type]  # looked at above
    if not len(indices):
        raise UserError(f"part={part}: {images.name} has no image in it.")
    shown = indices if count is None else spread(indices, count)
    pixels = unit_range(images.images(shown)).float().numpy()
    return Images(images.name, pixels, images.table(shown))
