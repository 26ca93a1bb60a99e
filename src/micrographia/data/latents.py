"""Style codes of a generator as a data set: mapped as they are asked for, so that any number of them needs no disk."""

import hashlib
from collections.abc import Iterator
from typing import Annotated, Any

import pandas as pd
import torch
from torch import Tensor

from micrographia.config import Between
from micrographia.data.batches import step_generator
from micrographia.data.datamodule import IndexedImages, Part
from micrographia.errors import UserError

BLOCK = 1024
"""Neighbouring codes that are drawn together."""


class LatentCodes(IndexedImages):
    """Points of W: item i is the mapped code z_i, itself a function of (seed, i).

    The training part is read in order, since its items are drawn independently of each other.

    Parameters
    ----------
    name
        Label in run folders and tables.
    generator_model
        Trained module whose ``generator`` has ``mapping``, ``z_dim`` and ``w_dim``, as `StyleGAN2`.
    count
        Training codes; a longer training sees them again.
    held_out
        Codes of the validation part, and of the test part.
    seed
        Another seed gives other codes.

    Raises
    ------
    UserError
        If the model makes no images from codes.
    """

    def __init__(
        self,
        generator_model: Any,
        name: str = "latents",
        count: Annotated[int, Between(1)] = 1_000_000,
        held_out: Annotated[int, Between(2)] = 10_000,
        seed: Annotated[int, Between(0)] = 0,
    ):
        super().__init__()
        if not hasattr(generator_model, "generator"):
            raise UserError(
                f"data.generator: {type(generator_model).__name__} has no codes. Name a run of model=stylegan2."
            )
        self.name = name
        self.generator = generator_model.generator.requires_grad_(False).eval()
        self.shape = (self.generator.w_dim,)
        self.count, self.held_out, self.seed = count, held_out, seed

    def record(self) -> dict[str, Any]:
        """What is worth recording: also whose codes these are."""
        return super().record() | {"generator": mapping_fingerprint(self.generator)}

    def __len__(self) -> int:
        return 2 * self.held_out + self.count

    def indices(self, part: Part) -> Tensor:
        """Indices of a part: val, then test, then train."""
        first = {"val": 0, "test": self.held_out, "train": 2 * self.held_out}[part]
        return torch.arange(first, first + (self.count if part == "train" else self.held_out))

    def draw_indices(self, count: int, seed: int, step: int) -> Tensor:
        """The next indices of the training part; after the last comes the first."""
        return 2 * self.held_out + (step * count + torch.arange(count)) % self.count

    def draw(self, indices: Tensor) -> Tensor:
        """Codes z of items, ``(n, z_dim)``."""
        codes = torch.empty(len(indices), self.generator.z_dim)
        blocks = indices // BLOCK
        for block in blocks.unique().tolist():
            here = blocks == block
            drawn = torch.randn(BLOCK, self.generator.z_dim, generator=step_generator(self.seed, block))
            codes[here] = drawn[indices[here] % BLOCK]
        return codes

    @torch.no_grad()
    def images(self, indices: Tensor) -> Tensor:
        """Style codes of items, ``(n, w_dim)``, float32."""
        device = self.generator.w_mean.device
        return self.generator.mapping(self.draw(indices).to(device)).cpu()

    def chunks(self, indices: Tensor, size: int = 8 * BLOCK) -> Iterator[Tensor]:
        """Style codes of many items, a chunk at a time and in order."""
        return super().chunks(indices, size)

    def table(self, indices: Tensor) -> pd.DataFrame:
        """Nothing is known of a code but its index."""
        return pd.DataFrame(index=pd.Index(indices.tolist(), name="item"))

    def fit(self, seed: int, batch_size: int, steps: int, **options: Any) -> "LatentCodes":
        """Fix how batches are drawn; in this process, where the mapping network is."""
        super().fit(seed, batch_size, steps, **{**options, "workers": 0})
        return self


def mapping_fingerprint(generator: Any) -> str:
    """Hash of the weights of a generator's mapping network: the same for all that map codes alike.

    Of the weights in half precision, in which generators may ship: one that is rounded to it and the one that it was
    made from have the same flow.
    """
    content = hashlib.sha256()
    for _, weight in sorted(generator.mapping.state_dict().items()):
        content.update(weight.detach().cpu().half().contiguous().numpy().tobytes())
    return content.hexdigest()[:16]
