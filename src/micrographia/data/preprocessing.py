"""What a data set does to an image between its file and the model, as tensor operations that a graph can hold."""

from dataclasses import asdict, dataclass
from functools import cache
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn

from micrographia.data.intensity import Limits, Rule
from micrographia.data.sizes import Background, resize

# Pillow resizes 8-bit images with weights that are whole multiples of 2**-22.
WEIGHT_UNIT = 2.0**22


@dataclass(frozen=True)
class Steps:
    """The steps from raw pixel values to the model's, all of them plain values.

    Attributes
    ----------
    channels : tuple of str
        Names of the channels that are fed, in this order.
    sources : tuple of int or None
        For each of the model's channels, the number of the one that fills it; None is a channel of zeros.
    depth : "8 bit", "deep" or "unit"
        Whether values are 0..255 and stay whole numbers, are those of a deeper file, or lie in 0..1 already.
    rule : "dtype", "limits", "percentile", "zscore", "image" or "given"
        How values become 0..1, as `micrographia.data.intensity.Intensity` has it; under ``given`` the limits are fed
        with the images, since each plate has its own.
    limits : tuple of pairs
        The values that become 0 and 1, of each of the model's channels.
    percentiles : pair of float
        Of each image, under ``image``.
    highest : float
        What becomes 1 under ``dtype`` of deep images.
    invert : bool
        Make dark on bright into bright on dark.
    size : int
        Side of what the model takes, in pixels.
    resized : bool
        Whether images of any size are fed; else they have the model's.
    side, background
        As of `micrographia.data.sizes.Squares`.
    tall_first : bool
        Whether pillow resizes along columns of pixels first where these shrink more than twice as much as the rows do:
        see `resizes_tall_first`. Of 8-bit images each pass is rounded, so that the order shows.

    Examples
    --------
    >>> steps = Steps(("grey",), (0, 0, 0), size=64, resized=True, side=80)
    >>> Steps.read(steps.written()) == steps
    True
    """

    channels: tuple[str, ...]
    sources: tuple[int | None, ...]
    size: int
    depth: Literal["8 bit", "deep", "unit"] = "8 bit"
    rule: Rule | Literal["given"] = "dtype"
    limits: Limits = ()
    percentiles: tuple[float, float] = (0.1, 99.9)
    highest: float = 1.0
    invert: bool = False
    resized: bool = False
    side: int | None = None
    background: Background = "border"
    tall_first: bool = False

    def written(self) -> dict[str, Any]:
        """The steps in JSON's types."""
        return {key: [*value] if isinstance(value, tuple) else value for key, value in asdict(self).items()}

    @classmethod
    def read(cls, written: dict[str, Any]) -> "Steps":
        """The steps that `written` has written."""
        pairs = tuple((float(low), float(high)) for low, high in written["limits"])
        tuples = {key: tuple(written[key]) for key in ("channels", "sources", "percentiles")}
        return cls(**{**written, **tuples, "limits": pairs})

    def described(self) -> list[str]:
        """Each step in words.

        Examples
        --------
        >>> Steps(("grey",), (0, 0, 0), size=64, resized=True, side=80, background="zero").described()[0]
        'channels fed: grey; repeated to 3'
        """
        blank = sum(source is None for source in self.sources)
        repeated = len(self.sources) > 1 == len(self.channels)
        shown = f"channels fed: {', '.join(self.channels)}"
        shown += f"; repeated to {len(self.sources)}" if repeated else f"; {blank} of zeros added" if blank else ""
        limits = ", ".join(f"{low:g} to {high:g}" for low, high in self.limits)
        low, high = self.percentiles
        scaled = {
            "dtype": f"values 0 to {255 if self.depth == '8 bit' else self.highest:g} become 0 to 1",
            "image": f"percentiles {low:g} to {high:g} of each image become 0 and 1, values beyond are clipped",
            "given": "the limits that are fed with each image become 0 and 1, values beyond are clipped",
        }.get(self.rule, f"values {limits} (a pair per model channel) become 0 and 1, values beyond are clipped")
        found = [shown, "values in 0..1 stay as they are" if self.depth == "unit" else scaled]
        if self.invert:
            found.append("inverted")
        if self.side is not None:
            found.append(f"padded ({self.background}) to a square of {self.side} px, larger images shrunk to fit it")
        if self.resized:
            found.append(f"resized to {self.size} x {self.size} px with a triangle filter, antialiased")
        return found


class Preprocessing(nn.Module):
    """From raw pixel values to what the model takes, as `micrographia.data.decoding.Conversion` does it.

    Of 8-bit images the result is the same to the bit, pillow's rounding included; of deeper ones it is rounded to half
    precision, as the data set keeps them, and a value at a tie may differ by one unit there. There is no branch on the
    images' size: the traced graph takes any.

    Parameters
    ----------
    steps
        What is done.

    Examples
    --------
    >>> preprocessing = Preprocessing(Steps(("grey",), (0, 0, 0), size=16, resized=True, side=40))
    >>> preprocessing(torch.zeros(2, 1, 30, 20)).shape
    torch.Size([2, 3, 16, 16])
    """

    low: Tensor
    span: Tensor
    shown: Tensor
    out: Tensor
    square: Tensor

    def __init__(self, steps: Steps):
        super().__init__()
        self.steps = steps
        low, high = torch.tensor(steps.limits or [(0.0, 1.0)], dtype=torch.float64).float().T
        span = torch.where(high > low, high - low, torch.ones_like(low))
        shown = torch.tensor([float(source is not None) for source in steps.sources])
        lines = {"out": steps.size, "square": steps.side or steps.size}
        buffers = {"low": low, "span": span, "shown": shown}
        for name, buffer in buffers.items():
            self.register_buffer(name, buffer[:, None, None], persistent=False)
        for name, length in lines.items():
            self.register_buffer(name, torch.arange(length, dtype=torch.float64), persistent=False)

    def forward(self, images: Tensor, limits: Tensor | None = None) -> Tensor:
        """Items ``(n, model channels, size, size)`` in 0..1 of raw values.

        Parameters
        ----------
        images
            ``(n, channels fed, height, width)``, float32.
        limits
            Under the rule ``given``, ``(n, model channels, 2)``: the values that become 0 and 1.
        """
        steps = self.steps
        values = self.mapped(images.float())
        if steps.depth == "8 bit":
            values = values if steps.rule == "dtype" else (255 * self.scaled(values, limits)).round()
        elif steps.depth == "deep":
            values = self.scaled(values, limits)
        if steps.invert:
            values = ((255 if steps.depth == "8 bit" else 1) - values) * self.shown
        if steps.resized:
            values = self.squared(values)
        if steps.depth == "8 bit":
            return values / 255
        return values.half().float() if steps.depth == "deep" else values

    def mapped(self, images: Tensor) -> Tensor:
        """The model's channels."""
        if self.steps.sources == tuple(range(len(self.steps.channels))):
            return images
        chosen = images[:, [source or 0 for source in self.steps.sources]]
        return chosen * self.shown if None in self.steps.sources else chosen

    def scaled(self, values: Tensor, limits: Tensor | None) -> Tensor:
        """Values as 0..1; beyond they are clipped."""
        if self.steps.rule == "dtype":
            return (values / self.steps.highest).clamp(0, 1)
        low, span = self.low, self.span
        if self.steps.rule in ("image", "given"):
            assert self.steps.rule == "image" or limits is not None
            low, high = (
                (own_percentiles(values, self.steps.percentiles) if limits is None else limits).float().unbind(2)
            )
            span = torch.where(high > low, high - low, torch.ones_like(low))[:, :, None, None]
            low = low[:, :, None, None]
        return ((values - low) / span).clamp(0, 1)

    def squared(self, values: Tensor) -> Tensor:
        """Square images of the model's size: shrunk to fit and padded, if there is a side to pad to, then resized."""
        rows, columns = (places_along(values, dimension) for dimension in (2, 3))
        side, size = self.steps.side, self.steps.size
        height, width = (places[-1:] + 1 for places in (rows, columns))
        if side is None:
            tall = (height > size) & (height - size > 2 * (width - size))
            return self.filtered(values, weights(rows, self.out, size), weights(columns, self.out, size), tall)
        longer = torch.maximum(height, width)
        within, filters = [], []
        for places, length in ((rows, height), (columns, width)):
            kept = torch.where(longer > side, (length * side / longer).round().clamp(min=1), length)
            place = self.square - ((side - kept) / 2).floor()
            inside = (place >= 0) & (place < kept)
            within.append((place, inside, kept))
            filters.append(weights(places, place, kept) * inside[:, None])
        (_, inside_rows, high), (_, inside_columns, wide) = within
        by_rows, by_columns = filters
        placed = self.filtered(values, by_rows, by_columns, (height > high) & (height - high > 2 * (width - wide)))
        if self.steps.background == "border":
            covered = inside_rows[:, None] & inside_columns
            placed = torch.where(covered, placed, self.rim(placed, within[0], within[1])[:, :, None, None])
        if size == side:
            return placed
        again = weights(self.square, self.out, size)
        return self.filtered(placed, again, again)

    def filtered(self, values: Tensor, rows: Tensor, columns: Tensor, tall: Tensor | None = None) -> Tensor:
        """Values filtered along rows, then along columns of pixels, each pass rounded as pillow rounds it.

        Parameters
        ----------
        tall
            Whether columns come first.
        """
        rows, columns, values = self.whole(rows), self.whole(columns).T, values.double()
        found = self.rounded(rows @ self.rounded(values @ columns))
        if tall is not None and self.steps.tall_first and self.steps.depth == "8 bit":
            found = torch.where(tall, self.rounded(self.rounded(rows @ values) @ columns), found)
        return found.float()

    def whole(self, weights: Tensor) -> Tensor:
        """Weights of a filter, as whole numbers where images have 8 bits."""
        return (weights * WEIGHT_UNIT + 0.5).floor() if self.steps.depth == "8 bit" else weights

    def rounded(self, values: Tensor) -> Tensor:
        """What pillow keeps of a pass: whole numbers of 8-bit images, else single precision."""
        if self.steps.depth == "8 bit":
            return ((values + WEIGHT_UNIT / 2) / WEIGHT_UNIT).floor().clamp(0, 255)
        return values.float().double()

    def rim(self, placed: Tensor, rows: tuple[Tensor, ...], columns: tuple[Tensor, ...]) -> Tensor:
        """Median of each image's outermost pixels, ``(n, channels)``; corners count twice, as in `pad_to_square`."""
        pieces = []
        for dimension, (place, _, kept), (_, across, _) in ((2, rows, columns), (3, columns, rows)):
            for edge in (torch.zeros_like(kept), kept - 1):
                number = (place == edge).float().argmax().reshape(1)
                line = placed.index_select(dimension, number).squeeze(dimension)
                pieces.append(torch.where(across, line, torch.full_like(line, torch.inf)))
        ordered = torch.cat(pieces, 2).sort(2).values
        middle = (rows[2] + columns[2]).long()
        pair = ordered.index_select(2, torch.cat([middle - 1, middle]))
        mean = pair.sum(2) / 2
        return mean.floor() if self.steps.depth == "8 bit" else mean


def places_along(values: Tensor, dimension: int) -> Tensor:
    """0, 1, 2, ... along height (2) or width (3), float64, traced so that it follows the size of whatever is fed."""
    line = values[0, 0, :, 0] if dimension == 2 else values[0, 0, 0]
    return torch.ones_like(line, dtype=torch.float64).cumsum(0) - 1


def weights(places: Tensor, out: Tensor, count: Tensor | int) -> Tensor:
    """Weights ``(outputs, inputs)`` of the triangle filter, as wide as the step between outputs, rows of sum 1.

    Parameters
    ----------
    places
        Of the inputs: 0, 1, 2, ...
    out
        Numbers of the outputs; those outside 0..count have no meaning.
    count
        Number of outputs that cover the inputs.

    Examples
    --------
    >>> weights(torch.arange(4.0), torch.arange(2.0), 2)
    tensor([[0.4286, 0.4286, 0.1429, 0.0000],
            [0.0000, 0.1429, 0.4286, 0.4286]])
    """
    scale = (places[-1:] + 1) / count  # of one dimension: torch's exporter halves the precision of scalars
    centres = (out + 0.5) * scale
    found = (1 - ((places - centres[:, None] + 0.5) * (1 / scale.clamp(min=1))).abs()).clamp(min=0)
    return found / found.sum(1, keepdim=True).clamp(min=1e-12)


@cache
def resizes_tall_first() -> bool:
    """Whether the installed pillow begins with the columns of a tall image; not every version does."""
    image = np.random.default_rng(0).integers(0, 256, (1, 60, 12), dtype=np.uint8)
    steps = Steps(("grey",), (0,), size=10, resized=True)
    found = Preprocessing(steps)(torch.from_numpy(image.astype(np.float32))[None])[0]
    return not np.array_equal((found * 255).round().numpy(), resize(image, 10, 10))


def own_percentiles(values: Tensor, percentiles: tuple[float, float]) -> Tensor:
    """Percentiles of each image's channels, ``(n, channels, 2)``, interpolated linearly as numpy does."""
    ordered = values.flatten(2).double().sort(2).values
    last = torch.ones_like(ordered[0, 0]).sum(0, keepdim=True) - 1
    found = []
    for percentile in percentiles:
        place = last * (percentile / 100)
        below = place.floor()
        pair = ordered.index_select(2, torch.cat([below, torch.minimum(below + 1, last)]).long())
        first, second = pair.unbind(2)
        share = place - below
        found.append(
            torch.where(share < 0.5, first + (second - first) * share, second - (second - first) * (1 - share))
        )
    return torch.stack(found, 2)
