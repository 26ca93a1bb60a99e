import numpy as np
import pandas as pd
import pytest

from micrographia.scores.wells import Comparison
from micrographia.tasks.assay_report import assay_metrics, quality


def measured(wells):
    """Cells of both controls in so many wells each, with a measurement that tells them apart."""
    generator = np.random.default_rng(0)
    rows = [
        {
            "method": "hr",
            "control": control,
            "well": f"{control}{well}",
            "ratio": 1 + control + generator.normal(0, 0.1),
        }
        for control in (0, 1)
        for well in range(wells)
        for _ in range(5)
    ]
    table = pd.DataFrame(rows)
    return table.assign(hr_ratio=table["ratio"])


def metrics(wells):
    comparison = Comparison("control", 0, 1, "well")
    return assay_metrics(quality(measured(wells), None, ["ratio"], comparison, seed=0))


def test_under_three_wells_there_is_their_number_and_no_p_value():
    found = metrics(2)
    assert found["assay/wells/hr"] == 2
    assert found["assay/auc/hr"] == 1
    assert "assay/p_value/hr" not in found


def test_of_three_wells_and_more_there_is_a_p_value():
    assert metrics(3)["assay/p_value/hr"] == pytest.approx(0.1)
    assert metrics(5)["assay/p_value/hr"] == pytest.approx(2 / 252)
