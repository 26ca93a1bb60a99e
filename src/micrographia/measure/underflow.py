"""Arithmetic with subnormal numbers, which training flushes to 0 for speed and k-d trees need."""

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch

SMALLEST = np.array([5e-324])  # an array, so that the product below is computed when asked for


@contextmanager
def gradual_underflow() -> Iterator[None]:
    """Let this thread compute with subnormal numbers for a while.

    Where they count as 0, the next number after 0 is 0, and the construction of scipy's k-d tree, which local maxima
    of an image are thinned out with, never ends: the process dies.

    Examples
    --------
    >>> _ = torch.set_flush_denormal(True)
    >>> with gradual_underflow():
    ...     flushes_subnormal()
    False
    >>> flushes_subnormal(), torch.set_flush_denormal(False)
    (True, True)
    """
    flushed = flushes_subnormal()
    torch.set_flush_denormal(False)
    try:
        yield
    finally:
        torch.set_flush_denormal(flushed)


def flushes_subnormal() -> bool:
    """Whether this thread takes subnormal numbers for 0."""
    return not (SMALLEST * 1.0).any()
