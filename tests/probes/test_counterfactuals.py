"""Counterfactuals of probes whose borders are known."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from micrographia.probes.counterfactuals import counterfactual

KNOWN = np.random.default_rng(0).normal(size=(400, 4)) * [1.0, 10.0, 1.0, 1.0]


def linear(weights, border):
    return lambda codes: codes @ np.asarray(weights) > border


def test_a_linear_border_is_reached_by_the_latent_that_counts_most():
    """The least sum of sizes moves one latent alone: the one with the largest weight times deviation."""
    weights = np.array([1.0, 0.3, 0.5, 0.0])  # in standard deviations 1, 3, .5, 0
    found = counterfactual(linear(weights, 1.5), np.zeros(4), True, KNOWN)
    assert np.flatnonzero(np.abs(found.moves) > 1e-3).tolist() == [1]
    assert found.length == pytest.approx(1.5 / (0.3 * KNOWN[:, 1].std()), rel=0.01)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.floats(-1, 1), min_size=4, max_size=4), st.integers(0, 399))
def test_what_is_found_is_answered_otherwise_and_no_shorter_move_on_its_way(weights, row):
    answer = linear(weights, 0.3)
    code = KNOWN[row]
    target = not answer(code[None])[0]
    found = counterfactual(answer, code, target, KNOWN)
    if found is None:
        assert not (answer(KNOWN) == target).any()
        return
    assert answer(found.code[None])[0] == target
    assert answer((code + 0.99 * (found.code - code))[None])[0] != target


def test_two_latents_move_where_one_does_not_suffice():
    def both(codes):
        return (codes[:, 0] > 0.5) & (codes[:, 2] > 0.5)

    found = counterfactual(both, np.zeros(4), True, KNOWN)
    assert np.flatnonzero(np.abs(found.moves) > 1e-6).tolist() == [0, 2]
    assert found.length == pytest.approx(0.5 / KNOWN[:, 0].std() + 0.5 / KNOWN[:, 2].std(), rel=0.02)


def test_a_class_that_is_never_answered_has_none():
    assert counterfactual(lambda codes: np.zeros(len(codes)), np.zeros(4), 1, KNOWN) is None


def test_a_constant_latent_does_not_move():
    known = KNOWN.copy()
    known[:, 3] = 2.0
    found = counterfactual(linear([1.0, 0.0, 0.0, 5.0], 11.0), np.array([0.0, 0.0, 0.0, 2.0]), True, known)
    assert found.moves[3] == 0
    assert found.code[0] == pytest.approx(1.0, abs=0.01)


def test_the_same_image_has_the_same_counterfactual_again():
    twice = [counterfactual(linear([1, 0.1, 1, 1], 2.0), KNOWN[3], True, KNOWN) for _ in range(2)]
    assert np.array_equal(twice[0].code, twice[1].code)
