import numpy as np
import pandas as pd
import pytest
import torch

from micrographia.inversion.solutions import Solutions
from micrographia.measure.assays.translocation import Translocation
from micrographia.scores.wells import Comparison
from micrographia.tasks.assay_report import assay_metrics, measurements, quality, report_unmeasured
from micrographia.tasks.subjects import Subjects


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


def recovered(images, flags):
    """Solutions of images, one each, with their flags."""
    keys = list(range(len(images)))
    table = pd.DataFrame({"key": keys, "solution": 0, "lr_residual": 0.0, "log_p": 0.0, "flag": flags})
    return Solutions(torch.tensor(keys), images[:, None], None, table)


def test_each_flag_stands_once_and_what_could_not_be_searched_is_not_measured():
    images = torch.rand(4, 2, 32, 32, generator=torch.Generator().manual_seed(0))
    images[0] = images[1] = torch.nan
    images[2] = 0.5
    known = pd.DataFrame({"condition": ["a"] * 4}, index=range(4))
    subjects = Subjects(torch.arange(4), images.clone(), images[..., ::8, ::8], known)
    found = recovered(images, ["constant", "NaN pixels", "constant; diverged", ""])
    table = measurements(Translocation(), {"rls": found}, subjects, None)
    rls = table[table["method"] == "rls"]
    assert rls["flag"].tolist()[:3] == ["constant", "NaN pixels", "constant; diverged"]
    assert rls["translocation_ratio"].isna().tolist()[:3] == [True] * 3
    assert rls["item"].tolist() == [0, 1, 2, 3]
    assert table[table["method"] == "hr"]["flag"].tolist()[0] == "NaN pixels"


def test_a_control_that_is_missing_is_told_once(caplog):
    caplog.set_level("INFO", logger="micrographia")
    comparison = Comparison("control", 0, 1, "well")
    table = measured(2).assign(solution=0, flag="")
    report_unmeasured(table, "ratio", comparison)
    assert not caplog.records
    flagged = table.assign(flag=["doubt" if control == 1 else "" for control in table["control"]])
    report_unmeasured(flagged, "ratio", comparison)
    lost = table.assign(ratio=table["ratio"].where(table["control"] == 0), method="rls")
    report_unmeasured(lost, "ratio", comparison)
    assert [record.getMessage() for record in caplog.records] == [
        "hr: all cells of the control 1 have a flag: quality over all rows only",
        "rls: no cell of the control 1 could be measured: no quality",
    ]
