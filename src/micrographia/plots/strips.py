"""Strips of images under sliders: made into a page that needs no network and no server, and read back from it."""

import base64
import io
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from html.parser import HTMLParser

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from PIL import Image


@dataclass(frozen=True)
class Strip:
    """Images of one size side by side, of which a slider shows one, or two meet at a divider.

    Parameters
    ----------
    name, note
        What stands above the image.
    axis
        What the steps are.
    steps
        Title of each image.
    width, height
        Of one image, in pixels.
    picture
        All images side by side, as an encoded file.
    """

    name: str
    note: str
    axis: str
    steps: tuple[str, ...]
    width: int
    height: int
    picture: bytes

    @property
    def uri(self) -> str:
        """The picture as a data URI."""
        kind = "webp" if self.picture[:4] == b"RIFF" else "png"
        return f"data:image/{kind};base64,{base64.b64encode(self.picture).decode()}"


def strip_of(name: str, note: str, axis: str, steps: Sequence[str], images: np.ndarray) -> Strip:
    """A strip of images ``(steps, height, width, 3)`` in 0..1."""
    pictures = (255 * images).round().astype(np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(np.concatenate(list(pictures), axis=1)).save(buffer, "PNG", optimize=True)
    height, width = pictures.shape[1:3]
    return Strip(name, note, axis, tuple(steps), width, height, buffer.getvalue())


def strips_page(strips: Sequence[Strip], title: str, about: str, compared: int | None = None) -> str:
    """HTML of strips.

    Parameters
    ----------
    compared
        Step at the right of the divider at first, where two steps are to be compared; None: a slider over the steps.
    """
    environment = Environment(
        loader=PackageLoader("micrographia.plots", "."),
        autoescape=select_autoescape(["j2"]),
        undefined=StrictUndefined,
    )
    page = environment.get_template("sliders.html.j2")
    return page.render(strips=strips, title=title, about=about, compared=compared)


def read_strips(page: str) -> list[Strip]:
    """The strips of a page that `strips_page` made; none of another page."""
    reader = StripReader()
    reader.feed(page)
    return reader.strips


class StripReader(HTMLParser):
    """Collects the strips of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.strips: list[Strip] = []
        self.known: dict[str, str] = {}

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take what a strip is called from its figure, and its picture from the frame in it."""
        given = {name: value or "" for name, value in attrs}
        if tag == "figure" and "data-steps" in given:
            self.known = given
        elif self.known and (
            found := re.search(r"--strip: url\(data:image/\w+;base64,([^)]+)\)", given.get("style", ""))
        ):
            width, height = map(int, self.known["data-size"].split())
            name, note, axis = (self.known[f"data-{key}"] for key in ("name", "note", "axis"))
            steps = tuple(json.loads(self.known["data-steps"]))
            self.strips.append(Strip(name, note, axis, steps, width, height, base64.b64decode(found[1])))
            self.known = {}
