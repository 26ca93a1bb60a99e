"""Texture-dSprites: coloured, textured sprites with seven known factors, rendered from their index."""

from functools import cached_property

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from micrographia.data.batches import step_generator
from micrographia.data.datamodule import PARTS, IndexedImages, Part
from micrographia.data.synthetic.dsprites_file import DSpritesFile
from micrographia.data.synthetic.sprites import ORIENTATIONS, POSITIONS, SCALES, SHAPES, DrawnSprites, Sprites
from micrographia.data.synthetic.textures import TEXTURES, textures
from micrographia.errors import UserError

# White and six husl colours: red, green, blue in 0..1.
COLORS = (
    (1.0, 1.0, 1.0),
    (0.910, 0.588, 0.366),
    (0.635, 0.693, 0.363),
    (0.376, 0.728, 0.596),
    (0.395, 0.707, 0.788),
    (0.696, 0.622, 0.900),
    (0.908, 0.551, 0.749),
)
FACTORS = {
    "Texture": len(TEXTURES),
    "Color": len(COLORS),
    "Shape": len(SHAPES),
    "Scale": len(SCALES),
    "Orientation": len(ORIENTATIONS),
    "PosX": POSITIONS,
    "PosY": POSITIONS,
}
SAMPLE_SEED = 42
# Images rendered at a time: what they need stays in the processor's cache.
CHUNK_PIXELS = 32 * 64 * 64


class TextureDSprites(IndexedImages):
    """Sprite times colour times texture on black: every image is a function of its index.

    The index counts the free factors in mixed radix, the first of `factors` most significant; with none fixed there
    are 25,804,800 images. Training draws from all of them (`draw_indices`, `draw_pairs`). The parts of `indices` are
    fixed random samples of the same grid, disjoint from each other but not from what training draws: with known
    factors nothing has to be held out, and they are there to compare models on the same images.

    Parameters
    ----------
    name
        Label in tables.
    size
        Side of the images in pixels; None is 64.
    antialias
        Smooth edges; otherwise each pixel is in the sprite or not, as in dSprites.
    fixed
        Factors that do not vary and their values, as ``{"PosX": 16, "PosY": 16}``; they are left out of `factors`.
    sprites
        dSprites' own npz file, to use its sprites; None draws them.
    textures
        Folder with the Brodatz plates D11, D40, D23, D109, D102; None takes free textures.
    samples
        Images of each part, as ``{"train": 10000, "val": 2000, "test": 10000}``.

    Raises
    ------
    UserError
        If a factor or part is unknown, a value out of range, or the samples more than the images.

    References
    ----------
    Dapueto, Noceti and Odone, Transferring disentangled representations, NeurIPS 2024, arXiv 2409.18017.
    Matthey, Higgins, Hassabis and Lerchner, dSprites, 2017.

    Examples
    --------
    >>> data = TextureDSprites("sprites")
    >>> len(data), data.images(torch.tensor([0, 12_345_678])).shape
    (25804800, torch.Size([2, 3, 64, 64]))
    >>> data.table(torch.tensor([12_345_678])).iloc[0].to_dict()
    {'Texture': 2, 'Color': 2, 'Shape': 2, 'Scale': 1, 'Orientation': 16, 'PosX': 10, 'PosY': 14}
    """

    def __init__(
        self,
        name: str = "texture_dsprites",
        size: int | None = None,
        antialias: bool = False,
        fixed: dict[str, int] | None = None,
        sprites: str | None = None,
        textures: str | None = None,
        samples: dict[str, int] | None = None,
    ):
        super().__init__()
        self.name = name
        self.size = check_size(64 if size is None else size)
        self.antialias = antialias
        self.fixed = check_fixed(dict(fixed or {}))
        self.sprite_file = sprites
        self.texture_folder = textures
        self.shape = (3, self.size, self.size)
        self.factors = {factor: count for factor, count in FACTORS.items() if factor not in self.fixed}
        self.counts = torch.tensor(list(self.factors.values()), dtype=torch.int64)
        # Images by which the index grows when a factor grows by one.
        self.strides = len(self) // self.counts.cumprod(0)
        self.samples = check_samples({"train": 10_000, "val": 2_000, "test": 10_000} | dict(samples or {}), len(self))

    def __len__(self) -> int:
        return int(self.counts.prod())

    def factor_values(self, indices: torch.Tensor) -> torch.Tensor:
        """Values of the free factors, ``(n, factors)``, int64, in the order of `factors`.

        Raises
        ------
        IndexError
            If an index is negative or not below the number of images.
        """
        if len(indices) and not 0 <= int(indices.min()) <= int(indices.max()) < len(self):
            raise IndexError(f"indices run from {int(indices.min())} to {int(indices.max())}: {len(self)} images")
        return indices[:, None] // self.strides % self.counts

    def index_of(self, values: torch.Tensor) -> torch.Tensor:
        """Indices of factor values ``(n, factors)``, int64; the inverse of `factor_values`.

        Raises
        ------
        ValueError
            If a value is negative or not below its factor's number of values.
        """
        if bool(((values < 0) | (values >= self.counts)).any()):
            raise ValueError(f"factor values out of range: {self.factors}")
        return (values * self.strides).sum(1)

    def table(self, indices: torch.Tensor) -> pd.DataFrame:
        """Factor values, one column per free factor."""
        return pd.DataFrame(
            self.factor_values(indices).numpy(),
            columns=list(self.factors),
            index=pd.Index(indices.numpy(), name="index"),
        )

    def images(self, indices: torch.Tensor) -> torch.Tensor:
        """Images ``(n, 3, size, size)``, uint8."""
        values = self.factor_values(indices).numpy()
        columns = dict(zip(self.factors, values.T, strict=True))
        columns |= {factor: np.full(len(values), value) for factor, value in self.fixed.items()}
        images = np.zeros((len(values), *self.shape), np.uint8)
        chunk = max(1, CHUNK_PIXELS // self.size**2)
        for start in range(0, len(values), chunk):
            self.render(images[start : start + chunk], {k: v[start : start + chunk] for k, v in columns.items()})
        return torch.from_numpy(images)

    def render(self, canvas: NDArray[np.uint8], values: dict[str, NDArray[np.int64]]) -> None:
        """Draw images of factor values on a black canvas ``(n, 3, size, size)``."""
        sprites, paints = self.sprites, self.paints
        masks, rows, columns = sprites.place(
            values["Shape"], values["Scale"], values["Orientation"], values["PosX"], values["PosY"]
        )
        box = (sprites.box, sprites.box)
        boxes_of_paint = np.lib.stride_tricks.sliding_window_view(paints, box, axis=(2, 3))
        drawn = boxes_of_paint[values["Texture"] * len(COLORS) + values["Color"], :, rows, columns]
        if sprites.binary:
            np.bitwise_and(drawn, masks[:, None], out=drawn)
        else:
            drawn = divide_by_255(drawn.astype(np.uint16) * masks[:, None])
        boxes = np.lib.stride_tricks.sliding_window_view(canvas, box, axis=(2, 3), writeable=True)
        boxes[np.arange(len(canvas)), :, rows, columns] = drawn

    @cached_property
    def sprites(self) -> Sprites:
        """Source of the sprites' masks."""
        if self.sprite_file is not None:
            return DSpritesFile(self.sprite_file, self.size, self.antialias)
        return DrawnSprites(self.size, self.antialias)

    @cached_property
    def paints(self) -> NDArray[np.uint8]:
        """Every texture in every colour: ``(35, 3, size, size)``, the texture more significant."""
        brightness = textures(self.size, self.texture_folder)
        paints = brightness[:, None, None] * np.array(COLORS, np.float32)[None, :, :, None, None]
        return np.rint(paints * 255).astype(np.uint8).reshape(-1, *self.shape)

    def indices(self, part: Part) -> torch.Tensor:
        """A fixed random sample of the images for each part; the three are disjoint."""
        sizes = [self.samples[each] for each in PARTS]
        return dict(zip(PARTS, self.sampled.split(sizes), strict=True))[part]

    @cached_property
    def sampled(self) -> torch.Tensor:
        """Indices of all parts, none twice."""
        return distinct_indices(sum(self.samples.values()), len(self), SAMPLE_SEED)

    def draw_indices(self, count: int, seed: int, step: int) -> torch.Tensor:
        """Indices of one training step, uniform over all images."""
        return torch.randint(len(self), (count,), generator=step_generator(seed, step))

    def draw_pairs(
        self, count: int, changed: int, generator: torch.Generator
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Pairs of images: draw the first, pick ``changed`` of its factors, redraw each uniformly.

        A redrawn factor may keep its value; the mask ``(n, factors)`` says which ones were picked.

        Raises
        ------
        UserError
            If ``changed`` is less than 1 or more than the free factors.
        """
        if not 1 <= changed <= len(self.factors):
            raise UserError(
                f"data {self.name}: pairs cannot differ in {changed} factors, only in 1 to {len(self.factors)} "
                f"({', '.join(self.factors)})."
            )
        first = torch.randint(len(self), (count,), generator=generator)
        other = self.factor_values(torch.randint(len(self), (count,), generator=generator))
        picked = torch.rand(count, len(self.factors), generator=generator).argsort(1)[:, :changed]
        mask = torch.zeros(count, len(self.factors), dtype=torch.bool).scatter_(1, picked, True)
        return first, self.index_of(torch.where(mask, other, self.factor_values(first))), mask

    def steps_per_epoch(self, batch_size: int) -> int:
        """Steps in which as many images are drawn as there are."""
        return -(-len(self) // batch_size)


def divide_by_255(values: NDArray[np.uint16]) -> NDArray[np.uint8]:
    """Values in 0..255^2 divided by 255 and rounded, without a division.

    Examples
    --------
    >>> divide_by_255(np.array([0, 127, 128, 255 * 200], np.uint16)).tolist()
    [0, 0, 1, 200]
    """
    values = values + np.uint16(128)
    return ((values + (values >> np.uint16(8))) >> np.uint16(8)).astype(np.uint8)


def distinct_indices(count: int, total: int, seed: int) -> torch.Tensor:
    """``count`` different indices below ``total`` in random order, the same for the same seed."""
    generator = step_generator(seed, 0)
    if total <= 100_000:
        return torch.randperm(total, generator=generator)[:count]
    # A permutation of millions takes seconds: draw with a margin, and keep the first occurrence of each.
    drawn = torch.randint(total, (2 * count,), generator=generator).numpy() if count <= total // 4 else None
    if drawn is None:
        return torch.randperm(total, generator=generator)[:count]
    _, first = np.unique(drawn, return_index=True)
    return torch.from_numpy(drawn[np.sort(first)[:count]])


def check_size(size: int) -> int:
    """Return a side in pixels, or say that it is too small."""
    if size < 16:
        raise UserError(f"data.size={size}: sprites need at least 16 pixels a side.")
    return size


def check_fixed(fixed: dict[str, int]) -> dict[str, int]:
    """Return fixed factors, or say what is wrong with them."""
    for factor, value in fixed.items():
        if factor not in FACTORS:
            raise UserError(f"data.fixed.{factor}: no such factor. Factors: {', '.join(FACTORS)}.")
        if not isinstance(value, int) or not 0 <= value < FACTORS[factor]:
            raise UserError(f"data.fixed.{factor}={value}: expected a whole number in 0..{FACTORS[factor] - 1}.")
    if len(fixed) == len(FACTORS):
        raise UserError("data.fixed: every factor is fixed, so that one image is left. Free at least one.")
    return fixed


def check_samples(samples: dict[str, int], total: int) -> dict[str, int]:
    """Return the sizes of the parts, or say what is wrong with them."""
    for part, count in samples.items():
        if part not in PARTS:
            raise UserError(f"data.samples.{part}: no such part. Parts: {', '.join(PARTS)}.")
        if not isinstance(count, int) or count < 1:
            raise UserError(f"data.samples.{part}={count}: expected a whole number of images, at least 1.")
    if sum(samples.values()) > total:
        raise UserError(
            f"data.samples: {sum(samples.values())} images for train, val and test, but the free factors give only "
            f"{total}. Lower data.samples.train, val or test, or fix fewer factors."
        )
    return samples
