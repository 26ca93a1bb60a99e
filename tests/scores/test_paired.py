import math
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from micrographia.scores.paired import holm, paired_test

NUMBERS = st.floats(-1e3, 1e3).map(lambda value: round(value, 3))
PAIRS = st.lists(st.tuples(NUMBERS, NUMBERS), min_size=3, max_size=6)


def test_known_answers_of_scipy():
    generator = np.random.default_rng(0)
    first, second = generator.normal(0.5, 1, 12), generator.normal(0, 1, 12)
    found = paired_test(first, second)
    assert found.pairs == 12
    assert found.p_t == pytest.approx(stats.ttest_rel(first, second).pvalue)
    assert found.p_wilcoxon == pytest.approx(stats.wilcoxon(first, second).pvalue)
    interval = stats.ttest_rel(first, second).confidence_interval()
    assert (found.low, found.high) == pytest.approx((interval.low, interval.high))
    assert found.sd == pytest.approx(np.std(first - second, ddof=1))


def test_signs_are_flipped_in_every_way():
    differences = np.array([0.5, 1.5, -0.25, 2.0, 1.0])
    means = [np.mean(differences * signs) for signs in product((-1, 1), repeat=5)]
    share = np.mean(np.abs(means) >= abs(differences.mean()) - 1e-12)
    assert paired_test(differences, np.zeros(5)).p_sign_flip == pytest.approx(share)


def test_of_many_pairs_signs_are_drawn_always_alike():
    differences = np.random.default_rng(1).normal(0.4, 1, 40)
    one, two = (paired_test(differences, np.zeros(40)).p_sign_flip for _ in range(2))
    assert one == two
    assert one == pytest.approx(stats.ttest_1samp(differences, 0).pvalue, abs=0.01)


@settings(deadline=None, max_examples=20)
@given(PAIRS)
def test_either_way_round_is_the_same_test(pairs):
    first, second = np.array(pairs).T
    one, two = paired_test(first, second), paired_test(second, first)
    assert one.difference == pytest.approx(-two.difference)
    for name in ("sd", "p_t", "p_sign_flip", "p_wilcoxon"):
        assert getattr(one, name) == pytest.approx(getattr(two, name), nan_ok=True)


@settings(deadline=None, max_examples=20)
@given(PAIRS)
def test_p_values_are_shares_and_no_smaller_than_the_pairs_allow(pairs):
    first, second = np.array(pairs).T
    found = paired_test(first, second)
    assert 2 / 2 ** len(pairs) <= found.p_sign_flip + 1e-12
    for value in (found.p_t, found.p_sign_flip, found.p_wilcoxon):
        assert math.isnan(value) or 0 <= value <= 1


@settings(deadline=None, max_examples=20)
@given(st.lists(NUMBERS, min_size=3, max_size=8), st.floats(0.1, 10))
def test_a_constant_difference_has_no_t(values, step):
    values = np.array(values)
    found = paired_test(values + step, values)
    assert math.isnan(found.p_t)
    assert found.sd == 0
    assert found.p_sign_flip == pytest.approx(2 / 2 ** len(values))


def test_no_difference_at_all():
    found = paired_test(np.arange(4), np.arange(4))
    assert (found.difference, found.p_t, found.p_sign_flip, found.p_wilcoxon) == (0, 1, 1, 1)


@pytest.mark.parametrize("count", [0, 1, 2])
def test_too_few_pairs_have_no_p_value(count):
    found = paired_test(np.arange(count) + 1.0, np.zeros(count))
    assert found.pairs == count
    assert all(math.isnan(value) for value in (found.p_t, found.p_sign_flip, found.p_wilcoxon))


def test_pairs_that_are_not_finite_are_left_out():
    found = paired_test(np.array([1.0, math.nan, 3, 2, math.inf]), np.array([0.0, 1, 1, 1, 1]))
    assert (found.pairs, found.difference) == (3, pytest.approx(4 / 3))


def test_other_lengths_are_refused():
    with pytest.raises(ValueError, match="one length"):
        paired_test(np.zeros(3), np.zeros(4))


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_holm_keeps_the_order_and_never_lowers(values):
    values = np.array(values)
    adjusted = holm(values)
    assert (adjusted >= values - 1e-12).all()
    assert (adjusted <= 1).all()
    assert (np.diff(adjusted[np.argsort(values)]) >= -1e-12).all()
    assert adjusted[np.argmin(values)] == pytest.approx(min(1, values.min() * len(values)))


def test_holm_of_a_textbook():
    assert holm(np.array([0.01, 0.04, 0.03, 0.005])) == pytest.approx([0.03, 0.06, 0.06, 0.02])
