"""Permutation within blocks: all ways by hand, scipy of one block, what plates do, and a true difference."""

from itertools import permutations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from micrographia.scores.blocks import arrangements, block_p_value
from micrographia.scores.differences import Differences
from micrographia.scores.wells import well_p_value


def difference_of(values):
    return lambda chosen: (chosen @ values) / chosen.sum(1) - (~chosen @ values) / (~chosen).sum(1)


@given(st.integers(0, 1000))
def test_ways_and_p_are_those_of_all_permutations_that_stay_in_their_block(seed):
    generator = np.random.default_rng(seed)
    blocks = np.array([0, 0, 0, 1, 1, 1])
    treated = generator.permutation([True, True, True, False, False, False])
    values = generator.normal(size=6)
    ways = {
        tuple(treated[list(order)])
        for order in permutations(range(6))
        if all(blocks[place] == blocks[other] for place, other in enumerate(order))
    }
    assert arrangements(treated, blocks) == len(ways)
    found = block_p_value(difference_of(values), treated, blocks)
    if len(ways) == 1:
        assert np.isnan(found)
        return
    drawn = difference_of(values)(np.array(sorted(ways)))
    own = difference_of(values)(treated[None])[0]
    tails = (drawn <= own + 1e-9).mean(), (drawn >= own - 1e-9).mean()
    assert found == pytest.approx(min(1, 2 * min(tails)))


def test_one_block_is_the_test_without_blocks():
    values = np.random.default_rng(0).normal(size=10)
    treated = np.arange(10) >= 4
    expected = well_p_value(values[~treated], values[treated])
    assert block_p_value(difference_of(values), treated, np.zeros(10, np.int64)) == pytest.approx(expected)


def test_drawn_arrangements_come_near_all():
    values = np.random.default_rng(1).normal(size=16)
    treated, blocks = np.tile([True, False], 8), np.repeat(np.arange(4), 4)
    exact, near = (block_p_value(difference_of(values), treated, blocks, most) for most in (9999, 1000))
    assert arrangements(treated, blocks) == 6**4
    assert near == pytest.approx(exact, abs=0.05)


def plates(effect, shift, angle=False, seed=0):
    """Two plates of twelve wells: ten control and two treated on one, two and ten on the other, which is moved."""
    generator = np.random.default_rng(seed)
    rows = []
    for plate, treated in (("P1", [0] * 10 + [1] * 2), ("P2", [0] * 2 + [1] * 10)):
        for well, positive in enumerate(treated):
            centre = generator.normal(0, 0.1) + shift * (plate == "P2") + effect * positive
            for value in generator.normal(centre, 0.1, 10):
                rows.append((plate, f"{plate}/{well}", ("control", "treated")[positive], value))
    known = pd.DataFrame(rows, columns=["plate", "well", "condition", "x"])
    values = known[["x"]] * (20 if angle else 1)
    return (values % 180 if angle else values), known


@pytest.mark.parametrize("angle", [False, True])
def test_what_a_plate_does_is_no_difference_of_conditions(angle):
    periods = {"x": 180.0} if angle else {}
    small = {"plate": 0, None: 0}
    for seed in range(20):
        values, known = plates(0.0, 1.0, angle, seed)
        for block in small:
            found = Differences(2, permutations=499).table(values, known, periods=periods, block=block).iloc[0]
            small[block] += found["p"] < 0.05
    assert small["plate"] <= 4
    assert small[None] == 20


@pytest.mark.parametrize("angle", [False, True])
def test_a_difference_within_plates_is_found_though_they_differ_more(angle):
    values, known = plates(0.4, -1.0, angle)
    table = Differences(2, permutations=499).table
    periods = {"x": 180.0} if angle else {}
    within = table(values, known, periods=periods, block="plate").iloc[0]
    assert within["p"] < 0.02
    assert within["p_least"] == pytest.approx(2 / 500)


def test_plates_of_one_condition_each_have_no_p_value():
    values, known = plates(1.0, 0.0)
    known["plate"] = known["condition"]
    found = Differences(2, permutations=99).table(values, known, block="plate").iloc[0]
    assert np.isnan(found["p"])
    assert np.isnan(found["p_least"])
    assert found["effect"] > 1


def test_a_replicate_on_two_plates_is_refused():
    values, known = plates(1.0, 0.0)
    known.loc[0, "plate"] = "P2"
    with pytest.raises(ValueError, match="more than one 'plate'"):
        Differences(2).table(values, known, block="plate")
