"""Interventions: codes of images whose factors were set on purpose."""

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import pandas as pd

from micrographia.scores.tables import NotFiniteError, Table, named_table

ENCODED_AT_ONCE = 8192


class Sampler(Protocol):
    """A world with known factors, seen through an encoder."""

    def draw(self, count: int, generator: np.random.Generator) -> pd.DataFrame:
        """Factors of ``count`` samples, independent of each other: one column per factor."""
        ...

    def encode(self, factors: pd.DataFrame) -> Table:
        """Codes ``(n, latents)`` of the images with these factors, at most `ENCODED_AT_ONCE` of them in a call."""
        ...


@dataclass(frozen=True)
class DiscreteFactors:
    """Sampler of factors that take so many values each, uniformly and independently.

    Attributes
    ----------
    sizes : mapping
        Each factor's number of values, 0, 1, ...
    encoder : callable
        From factor values, int64 ``(n, factors)`` in the order of ``sizes``, to codes ``(n, latents)``: renders the
        images and encodes them.

    Examples
    --------
    >>> world = DiscreteFactors({"Shape": 3, "Scale": 6}, lambda values: values / 2.0)
    >>> world.encode(pd.DataFrame({"Shape": [2], "Scale": [5]}))
    array([[1. , 2.5]])
    """

    sizes: Mapping[str, int]
    encoder: Callable[[np.ndarray], Table]

    def draw(self, count: int, generator: np.random.Generator) -> pd.DataFrame:
        """Values ``(count, factors)``, uniform and independent."""
        values = generator.integers(0, list(self.sizes.values()), (count, len(self.sizes)))
        return pd.DataFrame(values, columns=list(self.sizes))

    def encode(self, factors: pd.DataFrame) -> Table:
        """Codes of the images with these factors."""
        return self.encoder(factors[list(self.sizes)].to_numpy())


def encoded(sampler: Sampler, factors: pd.DataFrame) -> pd.DataFrame:
    """Codes of any number of samples, encoded in blocks and kept in single precision.

    Raises
    ------
    ValueError
        If the sampler returns another number of codes than of samples.
    NotFiniteError
        If a code is infinite or missing.
    """
    blocks = []
    for start in range(0, len(factors), ENCODED_AT_ONCE):
        block = factors.iloc[start : start + ENCODED_AT_ONCE]
        codes = named_table(sampler.encode(block), "z")
        if len(codes) != len(block):
            raise ValueError(f"the sampler returned {len(codes)} codes for {len(block)} samples")
        blocks.append((codes.columns, codes.to_numpy(dtype=np.float32)))
    codes = pd.DataFrame(np.concatenate([block for _, block in blocks]), columns=blocks[0][0])
    finite = np.isfinite(codes.to_numpy()).all(axis=0)
    if not finite.all():
        raise NotFiniteError(f"codes of latent {codes.columns[~finite][0]!r} hold infinite or missing values")
    return codes


def varying(factors: pd.DataFrame) -> list[Hashable]:
    """Names of the factors that take more than one value; of all where none does.

    Examples
    --------
    >>> varying(pd.DataFrame({"Shape": [0, 1], "Texture": [3, 3]}))
    ['Shape']
    """
    return [factor for factor in factors if factors[factor].nunique() > 1] or list(factors)


def share_factor(factors: pd.DataFrame, factor: Hashable, batch: int) -> pd.DataFrame:
    """The same samples, in which each ``batch`` successive ones have the first one's value of a factor.

    Examples
    --------
    >>> share_factor(pd.DataFrame({"Shape": [0, 1, 2, 1]}), "Shape", batch=2)["Shape"].tolist()
    [0, 0, 2, 2]
    """
    first = np.arange(len(factors)) // batch * batch
    return with_factor(factors, factor, factors[factor].to_numpy()[first])


def with_factor(factors: pd.DataFrame, factor: Hashable, values: np.ndarray) -> pd.DataFrame:
    """The same samples with one factor set to other values; the given table is left as it is."""
    changed = factors.copy(deep=False)
    changed[factor] = values
    return changed


def pairs_by_intervention(
    sampler: Sampler, count: int, generator: np.random.Generator
) -> dict[str, tuple[pd.DataFrame, pd.DataFrame]]:
    """For each factor that varies, the codes of samples, and of these with that factor drawn again, repeats allowed."""
    factors = sampler.draw(count, generator)
    before = encoded(sampler, factors)
    pairs = {}
    for factor in varying(factors):
        redrawn = sampler.draw(count, generator)[factor].to_numpy()
        pairs[str(factor)] = (before, encoded(sampler, with_factor(factors, factor, redrawn)))
    return pairs
