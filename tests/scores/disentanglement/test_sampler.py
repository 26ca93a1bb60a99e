import numpy as np
import pandas as pd
import pytest

from micrographia.scores.disentanglement import DiscreteFactors, sampler
from micrographia.scores.disentanglement.sampler import encoded, pairs_by_intervention, share_factor

SIZES = {"Shape": 3, "Scale": 6}


def test_draws_are_uniform_and_deterministic():
    world = DiscreteFactors(SIZES, lambda values: values * 1.0)
    drawn = world.draw(6000, np.random.default_rng(0))
    assert drawn.groupby(["Shape", "Scale"]).size().between(270, 400).all()
    pd.testing.assert_frame_equal(drawn, world.draw(6000, np.random.default_rng(0)))


def test_encodes_in_blocks(monkeypatch):
    sizes = []

    def encoder(values):
        sizes.append(len(values))
        return values / 2.0

    monkeypatch.setattr(sampler, "ENCODED_AT_ONCE", 4)
    world = DiscreteFactors(SIZES, encoder)
    factors = world.draw(10, np.random.default_rng(0))
    codes = encoded(world, factors)
    assert sizes == [4, 4, 2]
    assert (codes.dtypes == np.float32).all()
    np.testing.assert_array_equal(codes, factors / 2)


def test_columns_are_encoded_in_the_order_of_the_sizes():
    world = DiscreteFactors(SIZES, lambda values: values * 1.0)
    assert world.encode(pd.DataFrame({"Scale": [5], "Shape": [1]})).tolist() == [[1, 5]]


def test_pairs_differ_in_one_factor_and_repeat_its_value_by_chance():
    world = DiscreteFactors(SIZES, lambda values: values * 1.0)
    pairs = pairs_by_intervention(world, 3000, np.random.default_rng(0))
    for column, (factor, size) in enumerate(SIZES.items()):
        before, after = (side.to_numpy() for side in pairs[factor])
        np.testing.assert_array_equal(np.delete(before, column, 1), np.delete(after, column, 1))
        assert (before == after)[:, column].mean() == pytest.approx(1 / size, abs=0.03)


def test_takes_continuous_and_named_factors():
    class Cells:
        def draw(self, count, generator):
            shapes = generator.choice(["round", "long"], count)
            return pd.DataFrame({"shape": shapes, "area": generator.normal(size=count)})

        def encode(self, factors):
            return pd.DataFrame({"z0": factors["area"], "z1": factors["shape"] == "round"})

    pairs = pairs_by_intervention(Cells(), 50, np.random.default_rng(0))
    assert list(pairs) == ["shape", "area"]
    assert list(pairs["area"][1].columns) == ["z0", "z1"]


def test_sharing_a_factor_leaves_the_table_alone():
    factors = pd.DataFrame({0: [1, 2, 3, 4], "b": [1, 2, 3, 4]})
    assert share_factor(factors, 0, 2)[0].tolist() == [1, 1, 3, 3]
    assert factors[0].tolist() == [1, 2, 3, 4]


def test_rejects_codes_that_cannot_be():
    factors = pd.DataFrame({"Shape": [0, 1], "Scale": [0, 1]})
    with pytest.raises(ValueError, match="1 codes for 2 samples"):
        encoded(DiscreteFactors(SIZES, lambda values: values[:1] * 1.0), factors)
    with pytest.raises(ValueError, match="'z1' hold infinite or missing"):
        encoded(DiscreteFactors(SIZES, lambda values: values * [1.0, np.nan]), factors)
