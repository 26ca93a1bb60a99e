"""Factors and encodings with known answers, which the tests of all scores share."""

import numpy as np
import pandas as pd
import pytest

from micrographia.scores.disentanglement import DiscreteFactors

SIZES = {"Texture": 5, "Color": 7, "Shape": 3, "Scale": 6}
ROTATION = np.linalg.qr(np.random.default_rng(2).normal(size=(4, 4)))[0]


def noise_of(values, latents):
    """Noise that is a function of the values of a whole call: the same images are encoded alike."""
    return np.random.default_rng(values.sum(axis=0)).normal(size=(len(values), latents))


def scaled(values):
    return values / np.array(list(SIZES.values())) * 3.4


ENCODERS = {
    "identity": scaled,
    "constant": lambda values: np.ones((len(values), 4)),
    "independent": lambda values: noise_of(values, 6),
    "duplicated": lambda values: np.hstack([scaled(values)] * 2),
    "rotated": lambda values: scaled(values) @ ROTATION,
    "slightly noisy": lambda values: scaled(values) + 0.1 * noise_of(values, 4),
    "noisy": lambda values: scaled(values) + 0.5 * noise_of(values, 4),
    "very noisy": lambda values: scaled(values) + 2 * noise_of(values, 4),
}


@pytest.fixture(scope="session")
def worlds():
    """For each kind of codes, a sampler."""
    return {name: DiscreteFactors(SIZES, encoder) for name, encoder in ENCODERS.items()}


@pytest.fixture(scope="session")
def truth():
    """Factors of 4,000 samples."""
    generator = np.random.default_rng(0)
    return pd.DataFrame({name: generator.integers(0, size, 4000) for name, size in SIZES.items()})


@pytest.fixture(scope="session")
def kinds(truth):
    """For each kind of codes, those of ``truth``."""
    return {
        name: pd.DataFrame(codes := encoder(truth.to_numpy()), columns=[f"z{i}" for i in range(codes.shape[1])])
        for name, encoder in ENCODERS.items()
    }
