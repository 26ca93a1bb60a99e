import pandas as pd
import pytest

from micrographia.errors import UserError
from micrographia.interpretation.open_set import left_out_classes, unseen_phases

TRUTH = pd.DataFrame({"class": list("aabbcc"), "part": ["train", "test"] * 3})
CODES = {"before": pd.DataFrame(), "after": pd.DataFrame()}


def settings(*classes, **changed):
    return {"classes": list(classes), "exclude_from_finetuning": False, **changed}


def test_each_class_is_left_out_once():
    assert left_out_classes(settings("c", "a", "c"), TRUTH) == ["c", "a"]
    assert left_out_classes(settings(), TRUTH) == []


def test_numbers_name_classes_too():
    numbered = TRUTH.replace({"class": {"a": "1"}})
    assert left_out_classes(settings(1), numbered) == ["1"]


def test_mistakes_are_named():
    with pytest.raises(UserError, match=r"open_set.classes: no class 'd'. Classes: a, b, c"):
        left_out_classes(settings("a", "d"), TRUTH)
    with pytest.raises(UserError, match="nothing to learn from"):
        left_out_classes(settings(*"abc", exclude_from_finetuning=True), TRUTH)


def test_a_phase_that_has_seen_the_classes_is_not_told_of_and_that_is_said(caplog):
    with caplog.at_level("INFO"):
        assert list(unseen_phases(CODES, ["a", "b", "c"], {"c"})) == ["before"]
    assert "fine-tuning has seen a, b, so" in caplog.text
    assert "open_set.exclude_from_finetuning=true" in caplog.text


def test_what_was_left_out_everywhere_is_told_of_in_both_phases(caplog):
    with caplog.at_level("INFO"):
        assert list(unseen_phases(CODES, ["a"], {"a", "b"})) == ["before", "after"]
        assert list(unseen_phases({"before": CODES["before"]}, ["a"], set())) == ["before"]
    assert not caplog.text
