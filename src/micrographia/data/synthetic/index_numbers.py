"""Random numbers that are a function of an index, a stream and a seed."""

import numpy as np
from numpy.typing import NDArray


def uniform(indices: NDArray[np.int64], stream: NDArray[np.int64], seed: int) -> NDArray[np.float64]:
    """Random numbers in [0, 1) that are a function of (index, stream, seed), by the hash SplitMix64.

    Parameters
    ----------
    indices, stream
        Whole numbers whose shapes broadcast: one number for every pair.
    seed
        Non-negative; each has numbers of its own.

    Examples
    --------
    >>> numbers = uniform(np.array([[7], [8]]), np.array([0, 1]), 0)
    >>> bool((numbers[1] == uniform(np.array([8]), np.array([0, 1]), 0)).all()), len(np.unique(numbers))
    (True, 4)
    """
    key = mix(mix(np.array([seed], np.uint64)) ^ stream.astype(np.uint64))
    return (mix(mix(indices.astype(np.uint64)) ^ key) >> np.uint64(11)).astype(np.float64) * 2.0**-53


def mix(state: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """SplitMix64's output function: a bijection in which every input bit moves half of the output bits."""
    state = state + np.uint64(0x9E3779B97F4A7C15)
    state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return state ^ (state >> np.uint64(31))
