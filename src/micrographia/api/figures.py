"""Figures and pages of a finished run, as notebooks show them."""

import html
import io
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL.Image import Image


@dataclass(frozen=True)
class Figure:
    """A figure of a run: the last value of a notebook's cell is shown as the picture.

    Attributes
    ----------
    path : Path
        The PNG.
    width : int or None
        Pixels to which a wider picture is reduced where it is shown, so that a notebook stays small; None: none.
    """

    path: Path
    width: int | None = None

    def __repr__(self) -> str:
        return f"Figure({str(self.path)!r})"

    @property
    def image(self) -> "Image":
        """The picture as an image of pillow, to be changed or saved elsewhere."""
        from PIL import Image

        with Image.open(self.path) as opened:
            opened.load()
        if self.width is None or opened.width <= self.width:
            return opened
        height = round(opened.height * self.width / opened.width)
        return opened.convert("RGB").resize((self.width, height), Image.Resampling.LANCZOS)

    def _repr_png_(self) -> bytes:
        """What a notebook shows."""
        if self.width is None:
            return self.path.read_bytes()
        buffer = io.BytesIO()
        self.image.save(buffer, "PNG", optimize=True)
        return buffer.getvalue()


@dataclass(frozen=True)
class Page:
    """A page of HTML, as a report or a figure with sliders: shown in a frame in a notebook.

    Attributes
    ----------
    path : Path
        The file, which a browser opens.
    height : int
        Of the frame in pixels.
    """

    path: Path
    height: int = 640

    def __repr__(self) -> str:
        return f"Page({str(self.path)!r})"

    def _repr_html_(self) -> str:
        """The page in a frame; it needs no file beside the notebook."""
        page = html.escape(self.path.read_text(encoding="utf-8"))
        title = html.escape(self.path.stem)
        style = f"width:100%;height:{self.height}px;border:1px solid #8888"
        return f'<iframe title="{title}" sandbox="allow-scripts" style="{style}" srcdoc="{page}"></iframe>'
