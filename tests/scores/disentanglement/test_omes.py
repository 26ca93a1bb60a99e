import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import pearsonr

from micrographia.scores.disentanglement import omes

SIZES = {"Texture": 5, "Color": 7, "Shape": 3, "Scale": 6}


def interventions(encode, count=4000, seed=0, sizes=SIZES):
    """Pairs of codes for each factor, redrawn independently with repeats; ``encode(factors, generator) -> codes``."""
    generator = np.random.default_rng(seed)
    pairs = {}
    for position, (name, size) in enumerate(sizes.items()):
        before = generator.integers(0, list(sizes.values()), (count, len(sizes)))
        after = before.copy()
        after[:, position] = generator.integers(0, size, count)
        pairs[name] = (encode(before, generator), encode(after, generator))
    return pairs


def identity(factors, generator):
    return factors / 2.0


def noise(latents):
    return lambda factors, generator: generator.normal(size=(len(factors), latents))


@pytest.mark.parametrize("pooling", ["mean", "max"])
def test_identity_codes_score_near_one(pooling):
    assert omes(interventions(identity), pooling=pooling).score > 0.96


@pytest.mark.parametrize("alpha", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("latents", [2, 10])
def test_independent_noise_has_the_known_null_value(alpha, latents):
    result = omes(interventions(noise(latents)), alpha=alpha)
    assert result.score == pytest.approx(alpha / 4 + (1 - alpha) / latents, abs=0.02)


def test_inactive_latents_are_dropped():
    def padded(factors, generator):
        return np.hstack([identity(factors, generator), 0.01 * generator.normal(size=(len(factors), 6))])

    result = omes(interventions(padded))
    assert result.score == pytest.approx(omes(interventions(identity)).score, abs=0.02)
    assert result.settings["inactive"] == [f"z{i}" for i in range(4, 10)]
    assert result.matrix.loc["z4":].isna().all(axis=None)
    assert list(result.per_latent.dropna().index) == ["z0", "z1", "z2", "z3"]


def test_without_active_latents_the_score_is_zero():
    assert omes(interventions(lambda factors, _: np.full((len(factors), 3), 0.5))).score == 0


def test_duplicated_latents_cost_multiple_encoding_only():
    result = omes(interventions(lambda factors, generator: np.hstack([identity(factors, generator)] * 2)))
    single = omes(interventions(identity))
    assert result.overlap.mean() == pytest.approx(single.overlap.mean(), abs=0.01)
    assert (single.multiple_encoding - result.multiple_encoding).min() > 0.1


def test_a_latent_of_two_factors_costs_overlap():
    def merged(factors, generator):
        return np.column_stack([factors[:, 0] + factors[:, 1], factors[:, 2], factors[:, 3]]) / 2.0

    result, ideal = omes(interventions(merged)).overlap, omes(interventions(identity)).overlap
    assert (ideal - result)[["Texture", "Color"]].min() > 0.1
    assert (ideal - result)[["Shape", "Scale"]].abs().max() < 0.03


def test_agrees_with_the_formulas_written_out():
    def mixed(factors, generator):
        return factors @ generator_matrix + 0.3 * generator.normal(size=(len(factors), 3))

    generator_matrix = np.random.default_rng(5).normal(size=(4, 3))
    pairs = interventions(mixed, count=200)
    reaction = np.array([[1 - abs(pearsonr(x[:, i], y[:, i])[0]) for x, y in pairs.values()] for i in range(3)])
    latents, factors = reaction.shape
    expected = []
    for j in range(factors):
        overlap = multiple = 0.0
        for i in range(latents):
            os = 1 - np.mean([abs((k == j) - reaction[i, k]) for k in range(factors)])
            mes = 1 - np.mean([abs((d == i) - reaction[d, j]) for d in range(latents)])
            overlap += reaction[i, j] * os * reaction[i, j] / reaction[:, j].sum()
            multiple += reaction[i, j] * mes * reaction[i, j] / reaction[:, j].sum()
        expected.append(0.3 * overlap + 0.7 * multiple)
    result = omes(pairs, alpha=0.3)
    np.testing.assert_allclose(result.per_factor, expected)
    np.testing.assert_allclose(result.matrix, reaction)
    assert result.score == pytest.approx(np.mean(expected))


def test_falls_as_noise_grows():
    scores = [
        omes(interventions(lambda f, g, level=level: f / 2.0 + level * g.normal(size=f.shape))).score
        for level in (0, 0.3, 1, 3)
    ]
    assert scores == sorted(scores, reverse=True)


def test_a_latent_that_an_intervention_never_touches_does_not_react():
    before = np.array([[0.0, 1.0], [1.0, 1.0], [2.0, 1.0], [3.0, 1.0]])
    after = before[[2, 0, 3, 1]] * [1.0, 1.0]
    other = (np.array([[0.0, 5.0]] * 4), np.array([[0.0, 6.0]] * 4))
    matrix = omes({"Scale": (before, after), "Shape": other}).matrix
    assert matrix.loc["z1", "Scale"] == 0
    assert matrix.loc["z0", "Shape"] == 0
    assert matrix.loc["z1", "Shape"] == 1


def test_rejects_pairs_that_do_not_belong_together():
    x = np.random.default_rng(0).normal(size=(10, 3))
    with pytest.raises(ValueError, match="'Shape'"):
        omes({"Scale": (x, x), "Shape": (x, x[:5])})
    with pytest.raises(ValueError, match="'Shape'"):
        omes({"Scale": (x, x), "Shape": (x[:, :2], x[:, :2])})
    with pytest.raises(ValueError, match="at least one factor"):
        omes({})
    with pytest.raises(ValueError, match="alpha"):
        omes({"Scale": (x, x)}, alpha=2)
    with pytest.raises(ValueError, match="'z0' hold infinite or missing"):
        omes({"Scale": (x, np.where(x == x[0, 0], np.nan, x))})


@pytest.mark.parametrize("kind", ["identity", "rotated", "noisy", "independent"])
def test_a_sampler_gives_what_its_pairs_give(worlds, kind):
    pairs = interventions(lambda factors, _: worlds[kind].encoder(factors), seed=3)
    drawn = omes(worlds[kind], samples=4000)
    assert drawn.score == pytest.approx(omes(pairs).score, abs=0.02)
    assert drawn.settings["pairs"] == dict.fromkeys(SIZES, 4000)
    assert omes(worlds[kind], samples=500, seed=1).score == omes(worlds[kind], samples=500, seed=1).score


def test_takes_named_tables():
    named = {
        factor: tuple(pd.DataFrame(side, columns=list("abcd")) for side in pair)
        for factor, pair in interventions(identity, count=100).items()
    }
    assert list(omes(named).matrix.index) == list("abcd")


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.floats(0, 1), st.sampled_from(["mean", "max"]))
def test_bounded_and_indifferent_to_order_and_affine_maps(seed, alpha, pooling):
    generator = np.random.default_rng(seed)
    mixing = generator.normal(size=(4, 3)) * (generator.random((4, 3)) > 0.4) + 0.2

    def encode(factors, generator):
        return factors @ mixing + generator.normal(size=(len(factors), 3))

    pairs = interventions(encode, count=60, seed=seed)
    score = omes(pairs, alpha, pooling).score
    assert 0 <= score <= 1
    order = generator.permutation(3)
    moved = {k: (3 - 2.5 * x[:, order], 3 - 2.5 * y[:, order]) for k, (x, y) in reversed(pairs.items())}
    assert omes(moved, alpha, pooling).score == pytest.approx(score)
