import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import kstest, spearmanr

from micrographia.data.synthetic.rank_correlation import RankCorrelation
from micrographia.errors import UserError

NAMES = ("a", "b", "c", "d")
NUMBERS = np.random.default_rng(0).random((4000, 4))


@given(st.floats(-0.97, 0.97))
@settings(max_examples=25, deadline=None)
def test_a_pair_gets_its_rank_correlation_and_stays_uniform(rank):
    linked = RankCorrelation({"a": {"c": rank}}, NAMES).applied(NUMBERS)
    assert spearmanr(linked[:, 0], linked[:, 2])[0] == pytest.approx(rank, abs=0.05)
    assert kstest(linked[:, 2], "uniform").pvalue > 1e-4
    assert linked.min() >= 0
    assert linked.max() < 1


def test_what_leads_and_what_is_not_named_keeps_its_numbers():
    linked = RankCorrelation({"c": {"a": 0.5, "d": -0.3}}, NAMES).applied(NUMBERS)
    assert np.array_equal(linked[:, [1, 2]], NUMBERS[:, [1, 2]])
    assert not np.isclose(linked[:, [0, 3]], NUMBERS[:, [0, 3]]).any(axis=0).all()


def test_several_pairs_hold_at_once_and_the_others_stay_independent():
    linked = RankCorrelation({"a": {"b": 0.7}, "b": {"c": -0.4}}, NAMES).applied(NUMBERS)
    found = spearmanr(linked).statistic
    assert found[0, 1] == pytest.approx(0.7, abs=0.04)
    assert found[1, 2] == pytest.approx(-0.4, abs=0.04)
    assert np.abs(found[[0, 0, 1, 2], [2, 3, 3, 3]]).max() < 0.06


@given(st.lists(st.integers(0, 3999), min_size=1, max_size=40))
@settings(max_examples=25, deadline=None)
def test_a_row_does_not_depend_on_others(rows):
    link = RankCorrelation({"a": {"b": 0.7, "c": 0.2}, "d": {"c": 0.5}}, NAMES)
    assert np.array_equal(link.applied(NUMBERS)[rows], link.applied(NUMBERS[rows]))
    assert np.isfinite(link.applied(np.zeros((1, 4)))).all()


@pytest.mark.parametrize(
    ("pairs", "message"),
    [
        ({"e": {"a": 0.5}}, r"data\.correlation\.e: nothing is called e\. There are: a, b, c, d\."),
        ({"a": {"e": 0.5}}, r"data\.correlation\.a\.e: nothing is called e"),
        ({"a": {"a": 0.5}}, r"data\.correlation\.a\.a: expected two different names"),
        ({"a": {"b": 1}}, r"data\.correlation\.a\.b=1: expected a number between -1 and 1"),
        ({"a": {"b": float("nan")}}, r"data\.correlation\.a\.b=nan: expected"),
        ({"a": {"b": 0.5}, "b": {"a": 0.2}}, r"data\.correlation\.b\.a: this pair is given twice"),
        ({"a": {"b": 0.9, "c": 0.9}, "b": {"c": -0.9}}, r"no numbers can have all these rank correlations at once"),
    ],
)
def test_mistakes_are_told(pairs, message):
    with pytest.raises(UserError, match=message):
        RankCorrelation(pairs, NAMES)
