"""What charts draw of known tables, and what they say of it in words."""

import numpy as np
import pandas as pd
import pytest

from micrographia.reporting.charts import (
    boxes_chart,
    confusion_chart,
    curves_chart,
    importance_chart,
    matrix_chart,
)
from micrographia.reporting.records import read_record


@pytest.fixture
def record(written):
    return read_record(written.transfer())


def test_curves_are_thinned_but_keep_their_ends_and_are_told():
    steps = np.arange(1, 2001)
    table = pd.DataFrame({"batches": steps, "images": steps * 8, "name": "train/loss", "value": steps / 10.0})
    (variant,) = curves_chart(table).variants
    line = variant.spec["panels"][0]["lines"]["training"]
    assert len(line["x"]) == 200
    assert (line["x"][0], line["x"][-1], line["y"][0], line["y"][-1]) == (8, 16000, 0.1, 200.0)
    assert "training loss goes from 0.100 to 200" in variant.alt
    assert "16,000" in variant.alt


def test_curves_without_a_finite_value_are_none():
    assert curves_chart(pd.DataFrame({"images": [1], "name": ["train/loss"], "value": [np.nan]})) is None


def test_a_confusion_is_of_the_test_images_the_last_phase_first(record):
    chart = confusion_chart(record.table("tables/confusion.csv"))
    assert [variant.label.split(", ")[1] for variant in chart.variants][:2] == ["codes after fine-tuning"] * 2
    spec = chart.variants[0].spec
    assert spec["texts"][0] == ["4", "1", "0"]
    assert spec["values"][0] == [0.8, 0.2, 0.0]
    assert "73% of 15 test images lie on the diagonal" in chart.variants[0].alt
    assert "<medusa> is taken for copepod (3)" in chart.variants[0].alt


def test_importance_stands_before_and_after_in_the_order_of_the_last_phase(record):
    (variant,) = importance_chart(record.table("tables/importance.csv")).variants
    assert variant.spec["names"] == ["z2", "Color", "Scale"]
    assert variant.spec["bars"][0] == {"name": "z2", "phase": "before", "value": 0.2}
    assert variant.spec["phases"] == ["before", "after"]
    assert "largest: z2 (0.400)" in variant.alt


def test_a_signed_matrix_diverges_and_names_its_strongest_pairs():
    matrix = pd.DataFrame({"area": [0.9, np.nan], "hue": [-0.2, -0.95]}, index=["z0", "z1"])
    (variant,) = matrix_chart("", {"": matrix, "empty": matrix.iloc[:0]}, "correlation", "feature").variants
    assert variant.spec["domain"] == [-1.0, 1.0]
    assert variant.spec["values"] == [[0.9, -0.2], [None, -0.95]]
    assert "strongest: z1 with hue (−0.950)" in variant.alt


def test_boxes_keep_the_quartiles_of_very_many_cells():
    values = np.random.default_rng(0).normal(size=5000)
    table = pd.DataFrame({"method": "rls", "condition": "control", "ratio": values})
    (variant,) = boxes_chart(table, ["ratio"], "condition").variants
    (box,) = variant.spec["boxes"]
    assert len(box["values"]) == 400
    assert box["n"] == 5000
    assert np.quantile(box["values"], [0.25, 0.5, 0.75]) == pytest.approx(
        np.quantile(values, [0.25, 0.5, 0.75]), abs=0.01
    )
    assert boxes_chart(table.assign(ratio=np.nan), ["ratio"], "condition") is None


def test_a_matrix_is_shaded_to_one_or_to_its_largest_value():
    matrix = pd.DataFrame({"area": [0.0204, 0.0], "hue": [0.0001, 0.01]}, index=["z0", "z1"])
    (to_one,) = matrix_chart("", {"": matrix}, "share", "trait").variants
    assert to_one.spec["domain"] == [0, 1.0]
    (variant,) = matrix_chart("", {"": matrix}, "share", "trait", whole=0).variants
    assert variant.spec["domain"] == [0, 0.0204]
    assert variant.spec["measure"] == "share, shaded up to the largest"
    assert variant.spec["texts"] == [["0.020", "0"], ["0", "0.010"]]
