import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from micrographia.scores.tables import (
    MOST_CLASSES,
    codes_and_factors,
    equal_width_bins,
    factor_values,
    named_table,
    require_least,
)


def test_arrays_get_names_and_tables_keep_theirs():
    assert named_table(np.zeros((2, 3)), "z").columns.tolist() == ["z0", "z1", "z2"]
    table = pd.DataFrame({"Scale": [1.0]})
    assert named_table(table, "z") is table


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.zeros(3), "shape"),
        (np.zeros((0, 3)), "rows and columns"),
        (pd.DataFrame([[1, 2]], columns=["z0", "z0"]), "occurs twice"),
    ],
)
def test_what_is_no_table_is_refused(values, message):
    with pytest.raises(ValueError, match=message):
        named_table(values, "z")


def test_rows_must_belong_together():
    with pytest.raises(ValueError, match="3 rows of codes, but 2"):
        codes_and_factors(np.zeros((3, 1)), np.zeros((2, 1)))
    with pytest.raises(ValueError, match="different indices"):
        codes_and_factors(pd.DataFrame({"z0": [1, 2]}), pd.DataFrame({"a": [1, 2]}, index=[1, 2]))


@given(st.lists(st.sampled_from(["a", "b", "c"]), min_size=1, max_size=30), st.sampled_from([str, "category"]))
def test_texts_and_categories_are_classes(labels, kind):
    values = factor_values(pd.DataFrame({"kind": pd.Series(labels).astype(kind)}), bins=1)["kind"]
    assert len(set(values)) == len(set(labels))
    assert all((values[i] == values[j]) == (labels[i] == labels[j]) for i in range(len(labels)) for j in range(i))


def test_truths_whole_numbers_and_few_numbers_are_classes():
    table = pd.DataFrame({"there": [True, False, True], "count": [40.0, 7.0, 40.0], "share": [0.5, 0.25, 0.5]})
    found = factor_values(table, bins=2)
    assert all(values.tolist() == [0, 1, 0] for values in found.values())


@pytest.mark.parametrize("kind", [int, float])
def test_many_numbers_are_a_measurement_whole_or_not(kind):
    measured = factor_values(pd.DataFrame({"area": np.arange(MOST_CLASSES + 1).astype(kind)}), bins=4)["area"]
    assert sorted(set(measured)) == [0, 1, 2, 3]
    counted = factor_values(pd.DataFrame({"place": np.arange(MOST_CLASSES).astype(kind)}), bins=4)["place"]
    assert len(set(counted)) == MOST_CLASSES


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_missing_and_infinite_values_are_refused(value):
    with pytest.raises(ValueError, match="missing"):
        factor_values(pd.DataFrame({"share": [0.5, value]}), bins=20)


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=50), st.integers(1, 30))
def test_bins_keep_the_order_and_span_the_range(values, bins):
    found = equal_width_bins(np.array(values), bins)
    order = np.argsort(values, kind="stable")
    assert (np.diff(found[order]) >= 0).all()
    assert found.min() == 0
    assert found.max() == (bins - 1 if min(values) < max(values) else 0)


def test_settings_below_the_least_are_refused():
    require_least(1, bins=1, votes=5)
    with pytest.raises(ValueError, match="votes=0: expected 1 or more"):
        require_least(1, bins=1, votes=0)


def test_an_array_takes_the_index_of_the_table_beside_it():
    table, array = pd.DataFrame({"z0": [1.0, 2.0]}, index=[7, 3]), np.zeros((2, 1))
    for codes, factors in ((table, array), (array, table)):
        latents, truth = codes_and_factors(codes, factors)
        assert latents.index.tolist() == truth.index.tolist() == [7, 3]


def test_numbers_beside_texts_in_an_array_stay_numbers():
    table = pd.DataFrame({"kind": ["a", "b"] * 100, "area": np.linspace(0, 1, 200)})
    found = factor_values(named_table(table.to_numpy(), "factor"), bins=4)
    assert sorted(set(found["factor1"])) == [0, 1, 2, 3]
    assert sorted(set(found["factor0"])) == [0, 1]


def test_forty_angles_are_classes_by_number_and_in_radians():
    numbered = np.tile(np.arange(40), 10)
    found = factor_values(pd.DataFrame({"number": numbered, "radians": numbered * 2 * np.pi / 40}), bins=20)
    assert found["number"].tolist() == found["radians"].tolist()
    rare = factor_values(pd.DataFrame({"radians": np.arange(40) * 2 * np.pi / 40}), bins=20)["radians"]
    assert rare.max() == 19  # which occur once each: a measurement


def test_texts_that_hardly_repeat_are_no_classes():
    with pytest.raises(ValueError, match="'name' holds 300 texts for 300 samples"):
        factor_values(pd.DataFrame({"name": [f"cell {number}" for number in range(300)]}), bins=20)
