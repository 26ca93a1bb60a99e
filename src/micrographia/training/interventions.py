"""A model's codes of images whose factors were set on purpose: the sampler of interventional scores."""

from collections.abc import Callable
from functools import cached_property

import numpy as np
import pandas as pd
import torch

from micrographia.data.datamodule import IndexedImages, unit_range
from micrographia.models.vae.vae import VAE

CHUNK = 256  # items rendered and encoded at a time
CLOSED = 50_000  # items of a grid of factors that is encoded once as a whole


class EncodedImages:
    """Draw factors of a data set, render their images, and encode these as posterior means.

    Parameters
    ----------
    model
        In evaluation mode; the codes' columns bear its latents' names.
    data
        A set whose items can be made of given factors.
    seen
        Called with the number of items that were just encoded.
    """

    def __init__(self, model: VAE, data: IndexedImages, seen: Callable[[int], None] = lambda count: None):
        self.model = model
        self.data = data
        self.seen = seen
        self.closed = bool(data.factors) and len(data) <= CLOSED

    def draw(self, count: int, generator: np.random.Generator) -> pd.DataFrame:
        """Factors of ``count`` specimens, independent of each other."""
        return self.data.draw_factors(count, generator)

    def encode(self, factors: pd.DataFrame) -> pd.DataFrame:
        """Codes of specimens with these factors, a row each."""
        if self.closed:
            places = self.data.index_of(self.data.values_of(factors))
            return self.grid.iloc[places.numpy()].set_axis(factors.index, axis=0)
        blocks = [self.encode_block(factors.iloc[first : first + CHUNK]) for first in range(0, len(factors), CHUNK)]
        return pd.DataFrame(torch.cat(blocks).numpy(), columns=self.model.latent_names, index=factors.index)

    @torch.no_grad()
    def encode_block(self, factors: pd.DataFrame) -> torch.Tensor:
        """Posterior means ``(n, latents)`` of some specimens, on the CPU."""
        items = unit_range(self.data.of_factors(factors)).to(self.model.device)
        self.seen(len(factors))
        return self.model.encode(items)[0].cpu()

    @cached_property
    @torch.no_grad()
    def grid(self) -> pd.DataFrame:
        """Codes of all items of a closed grid."""
        items = self.data.chunks(torch.arange(len(self.data)), CHUNK)
        codes = torch.cat([self.model.encode(chunk.to(self.model.device))[0].cpu() for chunk in items])
        self.seen(len(codes))
        return pd.DataFrame(codes.numpy(), columns=self.model.latent_names)

    def forget(self) -> None:
        """Encode a closed grid anew when it is needed: the model has changed."""
        self.__dict__.pop("grid", None)
