"""Images that are nearly the same, found by a perceptual hash: on two sides of a split they are a leak."""

import logging
from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image
from scipy.fft import dctn

log = logging.getLogger(__name__)

SIDE = 32  # pixels of the thumbnail that is compared
LOW = 8  # coefficients a side of its cosine transform that are hashed
CHUNK = 1024  # images compared at a time with all others
SLICE = 2**16  # pairs whose thumbnails are compared at a time
MOST = 100_000  # pairs that are told: frames of a film are all alike


def thumbnail(image: NDArray) -> NDArray[np.float32]:
    """Grey image of 32 x 32 pixels with mean 0 and norm 1, ``(32, 32)``; zeros of a constant image.

    Parameters
    ----------
    image
        ``(channels, height, width)``, any type; channels count alike.
    """
    grey = np.nan_to_num(image.astype(np.float32)).mean(0)
    small = np.asarray(Image.fromarray(grey).resize((SIDE, SIDE), Image.Resampling.BILINEAR), np.float32)
    small = small - small.mean()
    norm = float(np.linalg.norm(small))
    # What a thumbnail of rounded values may differ from constant by.
    return small / norm if norm > 1e-4 * (1 + float(np.abs(grey).max())) else np.zeros_like(small)


def perceptual_hash(small: NDArray[np.float32]) -> NDArray[np.float32]:
    """Signs of 63 low frequencies about their median, ``(63,)`` of -1 and 1; zeros of a constant image.

    References
    ----------
    Zauner, Implementation and benchmarking of perceptual image hash functions, 2010 (pHash's DCT hash).
    """
    if not small.any():
        return np.zeros(LOW * LOW - 1, np.float32)
    low = dctn(small, norm="ortho")[:LOW, :LOW].ravel()[1:]  # without the mean
    return np.where(low > np.median(low), 1, -1).astype(np.float32)


def near_duplicates(
    thumbnails: Sequence[NDArray[np.float32]], bits: int = 6, correlation: float = 0.99
) -> pd.DataFrame:
    """Pairs of images that look the same: hashes that differ in few bits, thumbnails that correlate.

    Turned and mirrored copies are not found. Images that show nothing are compared with none.

    Parameters
    ----------
    thumbnails
        Of `thumbnail`.
    bits
        Most bits of 63 in which the hashes differ.
    correlation
        Least correlation of the thumbnails, -1..1.

    Returns
    -------
    DataFrame of pairs ``one < other`` (positions), ``correlation``; the most alike first.

    Examples
    --------
    >>> image = np.random.default_rng(0).integers(0, 256, (1, 40, 40))
    >>> pairs = near_duplicates([thumbnail(image), thumbnail(255 - image), thumbnail(image + 3)])
    >>> pairs[["one", "other"]].values.tolist()
    [[0, 2]]
    """
    hashes = np.stack([perceptual_hash(small) for small in thumbnails]) if len(thumbnails) else np.zeros((0, 63))
    flat = np.stack([small.ravel() for small in thumbnails]) if len(thumbnails) else np.zeros((0, SIDE * SIDE))
    found: list[tuple[NDArray, NDArray, NDArray]] = []
    least = LOW * LOW - 1 - 2 * bits
    for first in range(0, len(hashes), CHUNK):
        rows = slice(first, first + CHUNK)
        one, other = np.nonzero(hashes[rows] @ hashes[first:].T >= least)
        later = other > one  # each pair once
        one, other = one[later] + first, other[later] + first
        for start in range(0, len(one), SLICE):
            left, right = one[start : start + SLICE], other[start : start + SLICE]
            alike = np.einsum("ij,ij->i", flat[left], flat[right])
            kept = alike >= correlation
            found.append((left[kept], right[kept], alike[kept]))
        if sum(len(pairs[0]) for pairs in found) > MOST:
            log.warning("more than %s near-duplicates: only those of the first images are told", f"{MOST:,}")
            break
    columns = [np.concatenate(parts) for parts in zip(*found, strict=True)] if found else [np.array([])] * 3
    table = pd.DataFrame(dict(zip(("one", "other", "correlation"), columns, strict=True)))
    return table.sort_values("correlation", ascending=False, kind="stable", ignore_index=True)
