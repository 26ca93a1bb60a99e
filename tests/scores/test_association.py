import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import mutual_info_score, normalized_mutual_info_score

from micrographia.scores.association import association, association_above_chance, factor_entropies, mutual_information
from micrographia.scores.tables import equal_width_bins


def sample(seed, count=300, latents=4):
    """Codes, and factors of 5 values (float levels), 3 values (text) and 40 distinct continuous values or more."""
    generator = np.random.default_rng(seed)
    factors = pd.DataFrame(
        {
            "Texture": generator.integers(0, 5, count) / 4,
            "Shape": generator.choice(["square", "ellipse", "heart"], count),
            "Scale": generator.normal(size=count),
        }
    )
    codes = pd.DataFrame(generator.normal(size=(count, latents)), columns=[f"z{i}" for i in range(latents)])
    codes["z0"] += 3 * factors["Scale"]
    return codes, factors


def test_agrees_with_scikit_learn_on_binned_columns():
    codes, factors = sample(0)
    matrix = mutual_information(codes, factors, bins=20)
    for latent in codes:
        edges = np.linspace(codes[latent].min(), codes[latent].max(), 21)[1:-1]
        binned = np.digitize(codes[latent], edges)
        for factor in ("Texture", "Shape"):
            assert matrix.loc[latent, factor] == pytest.approx(
                mutual_info_score(pd.factorize(factors[factor])[0], binned), abs=1e-12
            )


def test_is_normalised_by_the_factors_entropy():
    codes, factors = sample(1)
    binned = equal_width_bins(codes["z1"].to_numpy(), 20)
    texture = pd.factorize(factors["Texture"])[0]
    information = mutual_info_score(texture, binned)
    assert association(codes, factors).loc["z1", "Texture"] == pytest.approx(
        information / mutual_info_score(texture, texture)
    )
    # With identical partitions every normalisation agrees.
    same = pd.DataFrame({"z0": texture.astype(float)})
    assert association(same, factors[["Texture"]]).iloc[0, 0] == pytest.approx(
        normalized_mutual_info_score(texture, texture)
    )


def test_whole_numbers_are_classes_in_a_floating_point_table_too():
    generator = np.random.default_rng(0)
    factors = pd.DataFrame({"Orientation": generator.integers(0, 40, 500)})
    codes = pd.DataFrame({"z0": factors["Orientation"] + generator.normal(size=500)})
    expected = association(codes, factors)
    pd.testing.assert_frame_equal(association(codes, factors.astype(float)), expected)
    few = slice(0, 300)  # of which each value hardly repeats
    measured = association(codes.iloc[few], factors.iloc[few] + 0.5)
    assert measured.loc["z0", "Orientation"] != association(codes.iloc[few], factors.iloc[few]).loc["z0", "Orientation"]


def test_continuous_factor_is_binned_as_codes_are():
    codes, factors = sample(2)
    codes["z1"] = -7 * factors["Scale"] + 3
    matrix = association(codes, factors)
    assert matrix.loc["z1", "Scale"] > 0.98
    assert matrix.loc["z0", "Scale"] > matrix.loc["z2", "Scale"] + 0.2


def test_integer_factor_of_many_values_is_not_binned():
    values = np.arange(4000) % 40
    entropy = factor_entropies(pd.DataFrame({"Orientation": values}))
    assert entropy["Orientation"] == pytest.approx(np.log(40))
    ideal = association(pd.DataFrame({"z0": values.astype(float)}), pd.DataFrame({"Orientation": values}))
    assert ideal.iloc[0, 0] == pytest.approx(np.log(20) / np.log(40))


def test_constant_latent_tells_nothing_and_constant_factor_is_undefined():
    codes, factors = sample(3)
    codes["z2"] = 0.7
    factors["Colour"] = "white"
    matrix = association(codes, factors)
    assert (matrix.loc["z2", ["Texture", "Shape", "Scale"]] == 0).all()
    assert matrix["Colour"].isna().all()


@pytest.mark.parametrize("spoil", [np.nan, np.inf])
def test_rejects_codes_that_are_not_finite(spoil):
    codes, factors = sample(4)
    codes.loc[3, "z1"] = spoil
    with pytest.raises(ValueError, match="'z1'"):
        association(codes, factors)


def test_rejects_missing_factor_values_and_rows_that_do_not_belong_together():
    codes, factors = sample(5)
    with pytest.raises(ValueError, match="'Shape'"):
        association(codes, factors.assign(Shape=factors["Shape"].mask(factors.index == 1)))
    with pytest.raises(ValueError, match="rows of factors"):
        association(codes, factors.head(10))
    with pytest.raises(ValueError, match="indices"):
        association(codes, factors.iloc[::-1])


def test_arrays_are_given_names():
    codes, factors = sample(6)
    matrix = association(codes.to_numpy(), pd.factorize(factors["Shape"])[0][:, None])
    assert list(matrix.index) == ["z0", "z1", "z2", "z3"]
    assert list(matrix.columns) == ["factor0"]


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000), st.integers(2, 30))
def test_lies_between_zero_and_one_and_ignores_the_order_of_rows(seed, bins):
    codes, factors = sample(seed, count=60)
    matrix = association(codes, factors, bins)
    assert matrix.to_numpy().min() >= 0
    assert matrix.to_numpy().max() <= 1
    order = np.random.default_rng(seed).permutation(60)
    shuffled = association(codes.iloc[order], factors.iloc[order], bins)
    np.testing.assert_allclose(shuffled, matrix, atol=1e-12)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from([-8.0, -0.5, 0.25, 4.0]), st.sampled_from([0.0, 1.0, -3.0]))
def test_ignores_affine_maps_of_a_latent(seed, scale, shift):
    codes, factors = sample(seed, count=200)
    np.testing.assert_allclose(association(codes * scale + shift, factors), association(codes, factors), atol=1e-9)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=40), st.integers(1, 25))
def test_bins_are_within_range_and_ordered_as_the_values(values, bins):
    values = np.array(values)
    binned = equal_width_bins(values, bins)
    assert binned.min() == 0
    assert binned.max() <= bins - 1
    assert (np.diff(binned[np.argsort(values)]) >= 0).all()


def test_above_chance_is_zero_for_independent_columns_and_one_for_the_factor_itself():
    generator = np.random.default_rng(0)
    factors = pd.DataFrame({"Orientation": generator.integers(0, 40, 1000), "Shape": generator.integers(0, 3, 1000)})
    codes = pd.DataFrame({"z0": generator.normal(size=1000), "z1": factors["Shape"].astype(float)})
    plain, above = association(codes, factors), association_above_chance(codes, factors)
    assert plain.loc["z0", "Orientation"] > 0.08
    assert above.loc["z0"].max() < 0.02
    assert above.loc["z1", "Shape"] == pytest.approx(1)
