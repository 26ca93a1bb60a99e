"""One table for all scores: what codes with a known answer get, and what must not change a score."""

import numpy as np
import pandas as pd
import pytest

from micrographia.scores.disentanglement import (
    DiscreteFactors,
    active_units,
    beta_vae_score,
    dci,
    explicitness,
    factor_vae_score,
    irs,
    latent_information,
    mig,
    modularity,
    omes,
    sap,
    total_correlation,
    udr,
)

VOTES = {"votes": 300, "test_votes": 300}
OF_TABLES = {
    "mig": lambda codes, factors: mig(codes, factors).score,
    "sap": lambda codes, factors: sap(codes, factors).score,
    "sap, continuous": lambda codes, factors: sap(codes, factors, continuous=True).score,
    "dci, D": lambda codes, factors: dci(codes, factors, trees=5).disentanglement,
    "dci, C": lambda codes, factors: dci(codes, factors, trees=5).completeness,
    "modularity": lambda codes, factors: modularity(codes, factors).score,
    "explicitness": lambda codes, factors: explicitness(codes, factors).score,
}
OF_SAMPLERS = {
    "beta_vae_score": lambda world: beta_vae_score(world, **VOTES).score,
    "factor_vae_score": lambda world: factor_vae_score(world, **VOTES).score,
    "irs": lambda world: irs(world).score,
    "omes": lambda world: omes(world, samples=4000).score,
    "omes, max": lambda world: omes(world, samples=4000, pooling="max").score,
}
SCORES = [*OF_TABLES, *OF_SAMPLERS]


@pytest.fixture(scope="session")
def score(kinds, truth, worlds):
    """Any score of any kind of codes, computed once."""
    known = {}

    def value(name, kind):
        if (name, kind) not in known:
            found = OF_TABLES[name](kinds[kind], truth) if name in OF_TABLES else OF_SAMPLERS[name](worlds[kind])
            known[name, kind] = found
        return known[name, kind]

    return value


@pytest.mark.parametrize("name", SCORES)
def test_identity_codes_score_near_one(name, score):
    assert score(name, "identity") == pytest.approx(1, abs=0.04)


NULL_VALUES = {
    "mig": 0,
    "sap": 0,
    "sap, continuous": 0,
    "dci, D": 0,
    "dci, C": 0,
    "explicitness": 0.5,
    "beta_vae_score": 1 / 4,
    "factor_vae_score": 1 / 4,
    "irs": 0,
    "omes": (1 / 4 + 1 / 6) / 2,
    "omes, max": (1 / 4 + 1 / 6) / 2,
}


@pytest.mark.parametrize(("name", "value"), NULL_VALUES.items())
def test_independent_codes_score_the_null_value(name, value, score):
    assert score(name, "independent") == pytest.approx(value, abs=0.07 if "vae" in name else 0.04)


CONSTANT_VALUES = {**NULL_VALUES, "omes": 0, "omes, max": 0, "modularity": np.nan, "irs": np.nan}


@pytest.mark.parametrize(("name", "value"), CONSTANT_VALUES.items())
def test_constant_codes(name, value, score):
    assert score(name, "constant") == pytest.approx(value, abs=0.07 if "vae" in name else 1e-9, nan_ok=True)


@pytest.mark.parametrize("name", ["mig", "sap", "sap, continuous"])
def test_duplicated_codes_have_no_gap(name, score):
    assert score(name, "duplicated") == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("name", ["modularity", "explicitness", "beta_vae_score", "factor_vae_score", "irs"])
def test_duplicates_are_overlooked_by_the_scores_that_say_so(name, score):
    assert score(name, "duplicated") == pytest.approx(score(name, "identity"), abs=0.02)


def test_duplicates_lower_omes(score):
    assert score("omes", "identity") - score("omes", "duplicated") > 0.04


@pytest.mark.parametrize(
    ("name", "loss"),
    {"mig": 0.5, "sap": 0.5, "sap, continuous": 0.5, "dci, D": 0.3, "dci, C": 0.3, "modularity": 0.05, "irs": 0.3,
     "omes": 0.3, "factor_vae_score": 0.05}.items(),
)  # fmt: skip
def test_a_rotation_lowers(name, loss, score):
    assert score(name, "identity") - score(name, "rotated") > loss


def test_a_rotation_leaves_explicitness(score):
    assert score("explicitness", "rotated") == pytest.approx(score("explicitness", "identity"), abs=1e-3)
    assert score("explicitness", "noisy") < 0.99


@pytest.mark.parametrize("name", SCORES)
def test_falls_as_noise_grows(name, score):
    # Noise tells of nothing, so that modularity suffers only where hardly anything else is left.
    last = ["independent"] if name == "modularity" else []
    scores = [score(name, kind) for kind in ("slightly noisy", "noisy", "very noisy", *last)]
    assert scores == sorted(scores, reverse=True)
    assert scores[0] - scores[-1] > 0.05


def test_models_agree_less_as_noise_grows(kinds):
    scores = [udr({"a": kinds["identity"], "b": kinds[f"{kind}noisy"]}).score for kind in ("slightly ", "", "very ")]
    assert scores == sorted(scores, reverse=True)
    assert scores[0] - scores[-1] > 0.3


def test_scores_of_codes_alone_know_no_order_and_no_affine_map(kinds):
    codes = kinds["rotated"]
    moved = codes.iloc[:, [2, 0, 3, 1]] * [-2.0, 0.5, 4.0, -8.0] + 3
    assert total_correlation(moved).score == pytest.approx(total_correlation(codes).score, abs=1e-9)
    assert latent_information(moved).score == pytest.approx(latent_information(codes).score, abs=2e-3)
    assert active_units(moved - 7).score == active_units(codes.iloc[:, [2, 0, 3, 1]]).score == 4


EXACT = ["mig", "sap", "sap, continuous", "modularity", "explicitness"]


@pytest.mark.parametrize("name", EXACT)
def test_tables_order_and_affine_maps_of_latents_do_not_matter(name, kinds, truth, score):
    order, factors = [2, 0, 3, 1], truth[["Scale", "Shape", "Texture", "Color"]]
    codes = kinds["noisy"].iloc[:, order] * [-2.0, 0.5, 4.0, -8.0] + 3
    assert OF_TABLES[name](codes, factors) == pytest.approx(score(name, "noisy"), abs=2e-3)


@pytest.mark.parametrize("name", OF_SAMPLERS)
def test_samplers_order_and_affine_maps_of_latents_do_not_matter(name, worlds, score):
    # IRS weights latents by their range, which is kept here.
    scales = [-1.0, 1.0, -1.0, 1.0] if name == "irs" else [-2.0, 0.5, 4.0, -8.0]
    world = worlds["noisy"]
    moved = DiscreteFactors(world.sizes, lambda values: world.encoder(values)[:, [2, 0, 3, 1]] * scales + 3)
    assert OF_SAMPLERS[name](moved) == pytest.approx(score(name, "noisy"), abs=1e-3)


def test_models_of_another_seed_agree_if_disentangled(kinds):
    identity, rotated = kinds["identity"], kinds["rotated"]
    other = pd.DataFrame(np.random.default_rng(1).normal(size=(4000, 6)))
    assert udr({"a": identity, "b": -2 * identity.iloc[:, [1, 0, 3, 2]]}).score == pytest.approx(1, abs=0.06)
    assert udr({"a": identity, "b": rotated}).score < 0.6
    assert udr({"a": kinds["independent"], "b": other}).score < 0.03
    assert udr({"a": kinds["constant"], "b": kinds["constant"]}).score == 0


def test_an_undefined_score_says_why(kinds, truth, worlds):
    assert modularity(kinds["constant"], truth).undefined == "no latent tells anything of a factor"
    assert irs(worlds["constant"]).undefined == "all latents are constant"
    same = truth.assign(**dict.fromkeys(truth, 1))
    for result in (mig(kinds["identity"], same), sap(kinds["identity"], same), explicitness(kinds["identity"], same)):
        assert np.isnan(result.score)
        assert result.undefined == "all factors are constant"
    assert dci(kinds["identity"], same).undefined == "all factors are constant"
