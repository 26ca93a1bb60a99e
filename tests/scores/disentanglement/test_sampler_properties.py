"""What holds of the sampler scores and of DCI, whatever the encoder: bounds, and order and scale of latents."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from micrographia.scores.disentanglement import DiscreteFactors, beta_vae_score, dci, factor_vae_score, irs, omes

SIZES = {"Color": 5, "Shape": 3, "Scale": 4}
FEW = settings(max_examples=8, deadline=None)


def linear(seed, latents=3):
    """An encoder that mixes the factors, and a generator for further choices."""
    generator = np.random.default_rng(seed)
    weights = generator.normal(size=(len(SIZES), latents))
    return (lambda values: values @ weights), generator


def reordered(encoder, order, factor):
    return lambda values: encoder(values)[:, order] * factor


SCORES = {
    "beta_vae": lambda world: beta_vae_score(world, votes=40, test_votes=40, batch=8),
    "factor_vae": lambda world: factor_vae_score(world, votes=40, test_votes=40, samples=200, batch=8),
    "irs": lambda world: irs(world, references=5, batch=20),
    "omes": lambda world: omes(world, samples=150),
}


@pytest.mark.parametrize("score", SCORES)
@FEW
@given(st.integers(0, 10_000))
def test_between_0_and_1(score, seed):
    encoder, _ = linear(seed)
    assert 0 <= SCORES[score](DiscreteFactors(SIZES, encoder)).score <= 1


@pytest.mark.parametrize("score", ["factor_vae", "irs", "omes"])
@FEW
@given(st.integers(0, 10_000), st.sampled_from([-3.0, 0.25]))
def test_indifferent_to_order_sign_and_scale_of_latents(score, seed, factor):
    """The linear classifier of the BetaVAE score is regularised, and so is not."""
    encoder, generator = linear(seed)
    known = SCORES[score](DiscreteFactors(SIZES, encoder)).score
    other = reordered(encoder, generator.permutation(3), factor)
    assert SCORES[score](DiscreteFactors(SIZES, other)).score == pytest.approx(known, abs=1e-6)


@pytest.mark.parametrize("score", SCORES)
@FEW
@given(st.integers(0, 10_000))
def test_a_seed_gives_the_same_score_again(score, seed):
    encoder, _ = linear(seed)
    first, second = (SCORES[score](DiscreteFactors(SIZES, encoder)).score for _ in range(2))
    assert first == second


@FEW
@given(st.integers(0, 10_000), st.sampled_from([0.5, 4.0]))
def test_dci_is_bounded_and_indifferent_to_the_scale_of_latents(seed, factor):
    """Trees split at the same places, at powers of two to the last digit."""
    generator = np.random.default_rng(seed)
    factors = generator.integers(0, list(SIZES.values()), (200, 3))
    codes = factors @ generator.normal(size=(3, 3)) + 0.1 * generator.normal(size=(200, 3))
    known, scaled = (dci(each, factors, trees=5) for each in (codes, codes * factor))
    for part in ("disentanglement", "completeness", "informativeness"):
        assert 0 <= getattr(known, part) <= 1
        assert getattr(scaled, part) == pytest.approx(getattr(known, part), abs=1e-9)
