"""Images made small enough for a page, and what a page may weigh."""

import base64
import io
from dataclasses import dataclass, field, replace
from pathlib import Path

from PIL import Image

from micrographia.plots.strips import Strip
from micrographia.reporting.blocks import Picture

WIDE, NARROW = 1400, 900  # pixels across: of a page of a few runs, and of many
QUALITY = 82  # of WebP, in 0..100: text in figures stays sharp
STRIP_QUALITY = 90
MARKUP = 1500  # bytes of HTML around an image at most
LEAST = 2000  # bytes: with less left no image is tried


@dataclass
class Allowance:
    """How many bytes of images may still be embedded, and what was left out for want of them."""

    left: float
    wide: int = WIDE
    left_out: list[str] = field(default_factory=list)

    def takes(self, data: bytes, name: str, pieces: int = 1) -> bool:
        """Whether images fit still; if so, their bytes in base 64 and what is written around each piece are spent."""
        cost = 4 * len(data) / 3 + MARKUP * pieces
        if cost > self.left:
            self.left_out.append(name)
            return False
        self.left -= cost
        return True


def embedded(file: Path, title: str, alt: str, allowance: Allowance) -> Picture | None:
    """A figure as a WebP of bounded width; None where it does not fit.

    Raises
    ------
    OSError
        If the file is no image that can be read.
    """
    if allowance.left < LEAST:
        allowance.left_out.append(file.name)
        return None
    with Image.open(file) as opened:
        image = opened.convert("RGB")
    if image.width > allowance.wide:
        image = image.resize(
            (allowance.wide, round(image.height * allowance.wide / image.width)), Image.Resampling.LANCZOS
        )
    data = as_webp(image, QUALITY)
    if not allowance.takes(data, file.name):
        return None
    uri = f"data:image/webp;base64,{base64.b64encode(data).decode()}"
    return Picture(title, alt, uri, image.width, image.height)


def lighter(strip: Strip) -> Strip:
    """A strip as WebP, a fraction of its PNG."""
    with Image.open(io.BytesIO(strip.picture)) as image:
        data = as_webp(image.convert("RGB"), STRIP_QUALITY)
    return replace(strip, picture=min(data, strip.picture, key=len))


def as_webp(image: Image.Image, quality: int) -> bytes:
    """An image, at most 16,383 pixels a side, as the bytes of a WebP."""
    buffer = io.BytesIO()
    image.save(buffer, "WEBP", quality=quality, method=4)
    return buffer.getvalue()
