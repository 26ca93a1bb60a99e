import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from micrographia.scores.association import association
from micrographia.scores.naming import lost_names, name_latents


def matrix(values, factors=("Texture", "Scale", "Shape")):
    values = np.asarray(values, dtype=float)
    return pd.DataFrame(values, index=[f"z{i}" for i in range(len(values))], columns=factors[: values.shape[1]])


def test_a_factors_name_goes_to_the_one_latent_that_tells_most_of_it():
    names = name_latents(matrix([[0.1, 0.8, 0.0], [0.0, 0.7, 0.0], [0.9, 0.1, 0.0]]), strength=0.25)
    assert list(names["name"]) == ["Scale", "z1", "Texture"]
    assert list(names["named"]) == [True, False, True]
    assert names.loc[1, ["factor", "strength"]].tolist() == ["Scale", 0.7]


def test_weak_associations_cannot_displace_a_strong_one():
    # The sum over all entries would prefer z0 = Texture and z1 = Scale (0.24 + 0.5) to z1's weak loss otherwise.
    names = name_latents(matrix([[0.24, 0.4], [0.0, 0.3]]), strength=0.25)
    assert list(names["name"]) == ["Scale", "z1"]


def test_assignment_maximises_the_sum():
    names = name_latents(matrix([[0.9, 0.8], [0.85, 0.3]]), strength=0.25)
    assert list(names["name"]) == ["Scale", "Texture"]


def test_strength_is_inclusive_and_an_undefined_association_names_nothing():
    assert list(name_latents(matrix([[0.25]]), 0.25)["name"]) == ["Texture"]
    assert list(name_latents(matrix([[0.2499]]), 0.25)["name"]) == ["z0"]
    assert list(name_latents(matrix([[np.nan, 0.1]]), 0.0)["name"]) == ["Scale"]
    assert list(name_latents(matrix([[0.0, 0.0]]), 0.0)["name"]) == ["z0"]


def test_more_factors_than_latents():
    names = name_latents(matrix([[0.3, 0.9, 0.5]]))
    assert list(names["name"]) == ["Scale"]


def test_names_follow_codes_that_encode_factors():
    generator = np.random.default_rng(0)
    factors = pd.DataFrame({"Scale": generator.integers(0, 6, 2000), "Shape": generator.integers(0, 3, 2000)})
    codes = pd.DataFrame(
        {"z0": generator.normal(size=2000), "z1": -2.0 * factors["Shape"], "z2": factors["Scale"] / 5.0}
    )
    assert list(name_latents(association(codes, factors))["name"]) == ["z0", "Shape", "Scale"]


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 6), st.integers(1, 6), st.floats(0.05, 1.0))
def test_names_are_unique_and_earned(seed, latents, factors, strength):
    values = np.random.default_rng(seed).random((latents, factors))
    table = name_latents(pd.DataFrame(values, columns=[f"f{i}" for i in range(factors)]), strength)
    assert table["name"].is_unique
    assert len(table) == latents
    named = table[table["named"]]
    assert (named["strength"] >= strength).all()
    assert (named["name"] == named["factor"]).all()


def test_lost_names_are_those_that_no_latent_bears_any_more():
    assert lost_names(["Scale", "z1", "Shape", "Color"], ["z0", "Texture", "Shape", "Scale"]) == ["Color"]
    assert lost_names(["z0", "Scale"], ["Shape", "Scale"]) == []
    with pytest.raises(ValueError, match=r"longer|shorter"):
        lost_names(["Scale"], ["Scale", "z1"])


def test_a_tied_latent_bears_its_own_factors_name_or_none():
    matrix = pd.DataFrame({"Scale": [0.1, 0.9, 0.0], "Shape": [0.8, 0.5, 0.0]}, index=["z0", "z1", "z2"])
    assert name_latents(matrix, 0.25)["name"].tolist() == ["Shape", "Scale", "z2"]
    assert name_latents(matrix, 0.25, tied=True)["name"].tolist() == ["z0", "Shape", "z2"]
