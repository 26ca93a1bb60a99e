import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import spearmanr

from micrographia.scores.disentanglement import udr


@pytest.fixture(scope="module")
def models():
    generator = np.random.default_rng(0)
    shared = generator.normal(size=(500, 3))
    return {
        f"seed {seed}": shared @ generator.normal(size=(3, size)) + generator.normal(size=(500, size))
        for seed, size in enumerate((3, 4, 2))
    }


def test_agrees_with_the_formula_written_out(models):
    def pair(first, second):
        r = np.abs([[spearmanr(x, y)[0] for y in second.T] for x in first.T])
        rows = sum(max(row) ** 2 / sum(row) for row in r)
        columns = sum(max(column) ** 2 / sum(column) for column in r.T)
        return (rows + columns) / sum(r.shape)

    result = udr(models)
    expected = np.array([[pair(x, y) for y in models.values()] for x in models.values()])
    np.testing.assert_allclose(result.matrix.fillna(0), expected * (1 - np.eye(3)), rtol=1e-4)
    medians = [np.median(np.delete(row, i)) for i, row in enumerate(expected)]
    np.testing.assert_allclose(result.per_model, medians, rtol=1e-4)
    assert result.score == pytest.approx(np.mean(medians), rel=1e-4)


def test_pairs_are_the_mean_of_the_latents_parts():
    generator = np.random.default_rng(1)
    first, second = generator.normal(size=(2, 300, 3)) + generator.normal(size=(300, 3))
    result = udr({"a": first, "b": second})
    assert result.per_latent.mean() == pytest.approx(result.score)
    assert result.per_latent.index.names == ["model", "latent"]


def test_uninformative_latents_are_left_out(models):
    padded = {name: np.hstack([codes, np.full((500, 2), 0.1)]) for name, codes in models.items()}
    assert udr(padded).score == pytest.approx(udr(models).score)
    assert np.isnan(udr(padded).per_latent["seed 0", "z3"])
    divergences = {name: np.append(np.ones(codes.shape[1]), [0.001, 0.009]) for name, codes in models.items()}
    noisy = {name: np.hstack([codes, np.random.default_rng(2).normal(size=(500, 2))]) for name, codes in models.items()}
    result = udr(noisy, divergences)
    assert result.score == pytest.approx(udr(models).score)
    assert result.settings["uninformative"]["seed 2"] == ["z2", "z3"]


def test_rejects_models_that_cannot_be_compared(models):
    with pytest.raises(ValueError, match="two and more"):
        udr({"a": models["seed 0"]})
    with pytest.raises(ValueError, match="different numbers of images"):
        udr({"a": models["seed 0"], "b": models["seed 1"][:10]})


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000))
def test_bounded_and_indifferent_to_monotone_maps_and_order(seed):
    generator = np.random.default_rng(seed)
    first, second = generator.normal(size=(2, 80, 3)) + generator.normal(size=(80, 3))
    score = udr({"a": first, "b": second}).score
    assert 0 <= score <= 1
    moved = pd.DataFrame(-np.exp(second[:, generator.permutation(3)]))
    assert udr({"b": moved, "a": first}).score == pytest.approx(score, rel=1e-4)
