import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from micrographia.data.splits import check_parts, draw_parts, group_numbers, parts_by_name, parts_by_value
from micrographia.errors import UserError


@st.composite
def grouped_sets(draw):
    """Classes and groups in which every class has at least six groups of its own, besides mixed ones."""
    n_classes = draw(st.integers(2, 5))
    rows = []
    for label in range(n_classes):
        for group in range(draw(st.integers(6, 12))):
            rows += [(label, f"{label}-{group}")] * draw(st.integers(1, 6))
    for group in range(draw(st.integers(0, 10))):
        rows += [(label, f"mixed-{group}") for label in draw(st.sets(st.sampled_from(range(n_classes)), min_size=1))]
    order = draw(st.permutations(range(len(rows))))
    classes = np.array([rows[position][0] for position in order])
    groups = pd.factorize(np.array([rows[position][1] for position in order], dtype=object))[0]
    return classes, groups


@settings(deadline=None, max_examples=40)
@given(grouped_sets(), st.integers(0, 2**32 - 1), st.floats(0.1, 0.4), st.floats(0.1, 0.4))
def test_grouped_draw(data, seed, test_fraction, val_fraction):
    classes, groups = data
    parts = draw_parts(classes, groups, None, test_fraction, val_fraction, seed)
    assert set(parts) == {"train", "val", "test"}
    assert pd.Series(parts).groupby(groups).nunique().max() == 1, "a group is on two sides"
    assert (pd.crosstab(classes, parts) > 0).all(axis=None), "a class lacks a part"
    assert (parts == draw_parts(classes, groups, None, test_fraction, val_fraction, seed)).all()


@settings(deadline=None, max_examples=40)
@given(st.lists(st.integers(3, 60), min_size=2, max_size=6), st.integers(0, 2**32 - 1), st.floats(0.05, 0.5))
def test_plain_draw_is_stratified(sizes, seed, fraction):
    classes = np.random.default_rng(0).permutation(np.repeat(np.arange(len(sizes)), sizes))
    parts = draw_parts(classes, None, None, fraction, fraction, seed)
    for label, size in enumerate(sizes):
        counts = pd.Series(parts[classes == label]).value_counts()
        assert counts.sum() == size
        assert (counts.reindex(["train", "val", "test"]) > 0).all()
        assert abs(counts["test"] - fraction * size) <= 1


def test_grouped_draw_is_close_to_the_fractions_in_every_class():
    generator = np.random.default_rng(0)
    groups = generator.integers(0, 150, 3000)
    classes = (groups % 5 + generator.integers(0, 2, 3000)) % 5
    parts = draw_parts(classes, groups, None, 0.2, 0.2, 42)
    shares = pd.crosstab(classes, parts, normalize="index")
    assert np.abs(shares["test"] - 0.2).max() < 0.01
    assert np.abs(shares["val"] - 0.16).max() < 0.01


def test_rare_class_reaches_every_part():
    """Three groups of one class, each far larger than the fraction: one for every part."""
    classes = np.repeat([0, 1], [300, 30])
    groups = np.concatenate([np.arange(300), np.repeat([300, 301, 302], 10)])
    parts = draw_parts(classes, groups, None, 0.1, 0.1, 0)
    assert (pd.crosstab(classes, parts) > 0).all(axis=None)


def test_seed_changes_the_draw():
    classes = np.repeat([0, 1], 50)
    first, second = (draw_parts(classes, None, None, 0.2, 0.2, seed) for seed in (0, 1))
    assert (first != second).any()


def test_given_test_part_is_kept_and_validation_drawn_from_the_rest():
    classes = np.tile([0, 1], 60)
    given_parts = np.array(["test"] * 40 + [""] * 80, dtype=object)
    parts = draw_parts(classes, np.arange(120) // 4, given_parts, 0.2, 0.25, 42)
    assert (parts[:40] == "test").all()
    assert (parts[40:] != "test").all()
    assert (parts[40:] == "val").sum() == 20


def test_given_validation_is_kept():
    names = ["train"] * 8 + ["val"] * 2 + ["test"] * 2
    parts = parts_by_name([*names[:-1], " Testing "], "column part")
    assert draw_parts(np.tile([0, 1], 6), None, parts, 0.2, 0.2, 42).tolist() == names


def test_unknown_part_names_are_errors():
    with pytest.raises(UserError, match=r"column plate holds P1, P2 where train, val or test"):
        parts_by_name(["P1", "P2"], "column plate")
    with pytest.raises(UserError, match="names no test images"):
        parts_by_name(["train", "train"], "column part")
    with pytest.raises(UserError, match=r"data\.test: column plate has no P3. It holds P1, P2"):
        parts_by_value(["P1", "P2"], ["P3"], "column plate")


def test_values_are_compared_as_text():
    assert parts_by_value(pd.Series([1, 2, 3]), ["3"], "column plate").tolist() == ["", "", "test"]


def test_class_missing_from_a_part_is_named_with_the_part():
    labels = pd.Series(["a", "a", "a", "b", "b"])
    parts = np.array(["train", "val", "test", "train", "val"], dtype=object)
    with pytest.raises(UserError, match=r"class b has no image in the test part"):
        check_parts(parts, labels, pd.DataFrame(index=labels.index), [])


def test_group_across_given_parts_is_named():
    table = pd.DataFrame({"plate": [1, 1, 2, 2, 3, 3], "well": list("AAAABB")})
    parts = np.array(["train", "train", "val", "val", "test", "train"], dtype=object)
    labels = pd.Series(["a"] * 6)
    with pytest.raises(UserError, match=r"group plate=3, well=B is in more than one"):
        check_parts(parts, labels, table, ["plate", "well"])


def test_groups_are_equal_in_all_columns():
    table = pd.DataFrame({"strain": list("xxyy"), "cell": [1, 2, 1, 1]})
    numbers = group_numbers(table, ["strain", "cell"])
    assert len(set(numbers)) == 3
    assert numbers[2] == numbers[3]
    assert group_numbers(table, []) is None
