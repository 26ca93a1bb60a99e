import numpy as np
import pandas as pd
import pytest
import torch

from micrographia.data.datamodule import IndexedImages
from micrographia.errors import UserError
from micrographia.interpretation.differences import contrast_of, numbers
from micrographia.interpretation.phenotype import mean_images, nearest_to


class Plate(IndexedImages):
    """A table whose rows are all in the test part, each an image of its own brightness."""

    def __init__(self, controls=None, **columns):
        super().__init__()
        self.name, self.shape, self.controls = "plate", (2, 4, 4), controls
        self.rows = pd.DataFrame(columns)

    def indices(self, part):
        return torch.arange(len(self.rows)) if part == "test" else torch.arange(0)

    def table(self, indices):
        return self.rows.iloc[indices.numpy()]

    def images(self, indices):
        return (indices.float() / 10)[:, None, None, None].expand(-1, *self.shape).clone()


def contrast(data, **given):
    named = {"column": "drug", "negative": "DMSO", "positive": 5} | given
    return contrast_of(data, {"contrast": named})


TWELVE = {"drug": ["DMSO"] * 6 + [5] * 6, "well": list("ABCDEFGHIJKL")}


def test_wells_are_resampled_and_counted():
    found = contrast(Plate(**TWELVE))
    assert found.words == "6 and 6 wells resampled"
    assert found.conditions == ("DMSO", "5")
    assert found.titles == ("DMSO", "drug 5")
    assert found.sample(2).tolist() == [0, 5, 6, 11]


def test_other_conditions_are_left_out():
    found = contrast(Plate(drug=["DMSO", 3, 5, "DMSO"], well=list("abcd")))
    assert found.known.index.tolist() == [0, 2, 3]


def test_fields_stand_for_wells_that_are_too_few_and_say_so():
    wells = ["A"] * 6 + ["B", "B", "B", "C", "C", "C"]
    data = Plate(drug=TWELVE["drug"], well=wells, site=[1, 1, 2, 2, 3, 3, 1, 2, 3, 1, 2, 3])
    assert contrast(data).words == "1 and 2 wells: too few for an interval or a p-value"
    # Sites have the same numbers in every well.
    words = "3 and 6 sites resampled, of 1 and 2 wells: no p-value over wells"
    assert contrast(data, replicate="site").words == words


def test_wells_of_one_name_on_two_plates_are_two():
    data = Plate(drug=["DMSO", 5] * 6, well=["A", "B"] * 6, plate=np.repeat([1, 2, 3], 4))
    assert contrast(data).words == "3 and 3 wells (too few for a p below 0.25) resampled; permuted within each plate"
    assert contrast(data, block=None).words == "3 and 3 wells (too few for a p below 0.1) resampled"


def test_without_a_column_of_replicates_there_is_no_interval():
    found = contrast(Plate(drug=["DMSO", 5] * 6))
    assert found.words == "no column of replicates is named (contrast.well): no interval, no p-value"
    assert found.count("replicate") == [1, 1]
    assert contrast(Plate(drug=["DMSO", 5] * 6, slide=range(12)), replicate="slide").words == "6 and 6 slides resampled"


def test_the_data_s_own_controls_are_taken_where_none_are_named():
    data = Plate(("drug", "DMSO", "5"), **TWELVE)
    assert contrast_of(data, {"contrast": None}).words == "6 and 6 wells resampled"
    assert contrast_of(Plate(**TWELVE), {"contrast": None}) is None


def test_a_condition_without_a_test_image_is_answered():
    data = Plate(("drug", "DMSO", "5"), **TWELVE)
    data.indices = {"train": torch.arange(6, 12), "val": torch.arange(0), "test": torch.arange(6)}.get
    with pytest.raises(UserError, match=r"data\.controls=5: no image of the test part of plate"):
        contrast_of(data, {"contrast": None})
    with pytest.raises(UserError, match=r"contrast\.positive=5: no image of the test part of plate"):
        contrast(data)


def test_replicates_count_the_same_in_mean_images():
    data = Plate(drug=["DMSO"] * 4 + [5], well=["A", "A", "A", "B", "A"])
    found = contrast(data)
    means = mean_images(data, found.known, found.comparison)
    assert means[:, 0, 0, 0].tolist() == pytest.approx([(0.1 + 0.3) / 2, 0.4])


def test_the_nearest_code_is_found_by_its_index():
    codes = pd.DataFrame({"z0": [0.0, 1.0, 3.0], "z1": [0.0, 1.0, 3.0]}, index=[7, 8, 9])
    assert nearest_to(np.array([1.4, 0.9]), codes) == 8


def test_metrics_are_numbers_only():
    table = pd.DataFrame({"effect": [0.5, -2.0, np.nan], "q": [0.01, 0.5, np.nan]})
    assert numbers(table, "after") == {"difference/after/significant": 1, "difference/after/leading": -2.0}
    assert numbers(table.assign(q=np.nan), "after") == {"difference/after/leading": -2.0}
    assert numbers(table.assign(q=np.nan, effect=np.nan), "after") == {}


def test_replicates_are_permuted_within_plates_where_the_table_knows_them():
    plates = {**TWELVE, "plate": [1, 1, 1, 2, 2, 2] * 2}
    found = contrast(Plate(**plates))
    assert found.words == "6 and 6 wells resampled; permuted within each plate"
    table = found.table(pd.DataFrame({"z0": np.arange(12.0)}))
    assert table["permuted_within"].tolist() == ["plate"]
    assert table["p_least"].tolist() == [2 / 400]
    over_all = contrast(Plate(**plates), block=None)
    assert over_all.words == "6 and 6 wells resampled"
    assert over_all.table(pd.DataFrame({"z0": np.arange(12.0)}))["p_least"].tolist() == [2 / 924]
    batches = Plate(**plates, batch=list("aabbccaabbcc"))
    assert contrast(batches, block="batch").words.endswith("permuted within each batch")


def test_plates_of_one_condition_give_no_p_value_and_say_so():
    found = contrast(Plate(**TWELVE, plate=[1] * 6 + [2] * 6))
    assert found.words.endswith("no plate holds both conditions, no p-value")
    assert found.table(pd.DataFrame({"z0": np.arange(12.0)}))["p"].isna().all()


def test_a_block_that_does_not_fit_is_answered():
    with pytest.raises(UserError, match=r"contrast\.block: the table of plate has no column batch"):
        contrast(Plate(**TWELVE), block="batch")
    split = Plate(drug=["DMSO", "DMSO", 5, 5], well=list("AABC"), batch=[1, 2, 1, 2])
    with pytest.raises(UserError, match=r"contrast\.block=batch"):
        contrast(split, block="batch")
