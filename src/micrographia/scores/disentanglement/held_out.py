"""Which samples a predictor learns from, and which it is scored on."""

import numpy as np


def train_and_test(count: int, train_fraction: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Positions of the samples of each part, in random order.

    Raises
    ------
    ValueError
        If the share of training samples is not strictly between 0 and 1, or leaves one part empty.

    Examples
    --------
    >>> train, test = train_and_test(9, 2 / 3, seed=0)
    >>> len(train), len(test)
    (6, 3)
    """
    if not 0 < train_fraction < 1:
        raise ValueError(f"train_fraction is a share strictly between 0 and 1, got {train_fraction}")
    cut = int(np.ceil(count * train_fraction))
    if cut == count:
        raise ValueError(f"train_fraction {train_fraction} leaves none of {count} samples for the test")
    order = np.random.default_rng(seed).permutation(count)
    return order[:cut], order[cut:]
